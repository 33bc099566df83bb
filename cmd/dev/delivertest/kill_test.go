package delivertest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/fhir/deliver"
	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

const childEnv = "TELEVISIT_DELIVER_TEST_CHILD"

// child is what the process that will be killed needs to know.
type child struct {
	App, KEK, Base, Certificate, Token string
	Org, Delivery                      uuid.UUID
	Conditional                        bool
}

// childMain works one delivery as a process of its own.
func childMain(config string) {
	var c child
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	ctx, roots := context.Background(), x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(c.Certificate))
	us := &clinic{t: new(testing.T), database: testdb.Database{AppURL: c.App}, kek: c.KEK, org: c.Org, hospital: &hospital{tokens: &tokens{known: c.Token}}}
	us.connect(ctx)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	var charts deliver.Charts = us.charts(client, c.Base, deliver.Profile{})
	if !c.Conditional {
		charts = withoutConditions{charts}
	}
	if err := deliver.New(us.config(charts)).Work(ctx, c.Org, c.Delivery, job.Attempt{Number: 1}); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
	}
	select {} // it is killed, it does not end
}

// TestKilledInTheMiddle kills the writing process with SIGKILL while its request is on the way: before the EHR has
// committed it, and after, when only the answer is missing. Another worker finishes; the chart holds it once.
func TestKilledInTheMiddle(t *testing.T) {
	for _, conditional := range []bool{true, false} {
		for _, kind := range []faults.Kind{faults.Slow, faults.CommitThenTimeout} {
			t.Run(fmt.Sprintf("%s/conditional=%t", kind, conditional), func(t *testing.T) {
				t.Parallel()
				c := openClinic(t)
				v := c.signed(false)
				must(t, c.worker.Work(t.Context(), c.org, delivery(t, v, scheduling.DeliverAppointment).ID, job.Attempt{Number: 1}))
				<-c.hospital.posts
				d := delivery(t, v, scheduling.DeliverEncounter)
				fault, err := c.hospital.faults.Add(faults.Fault{Kind: kind, Match: "Encounter", Times: 1, DelayMS: 20_000})
				must(t, err)
				process := c.spawn(d.ID, conditional)
				if got := <-c.hospital.posts; got != "Encounter" {
					t.Fatalf("the child wrote a %s", got)
				}
				if kind == faults.CommitThenTimeout {
					c.await(func() bool { return len(c.hospital.chart("Encounter")) == 1 })
				}
				must(t, process.Process.Kill())
				_ = process.Wait()
				c.hospital.faults.Clear(fault.ID)
				if d = delivery(t, c.load(v.ID), scheduling.DeliverEncounter); d.State != visit.DeliverySent {
					t.Fatalf("after the kill the delivery is %s; that a request went out was not committed before it", d.State)
				}
				worker := c.worker
				if !conditional {
					worker = deliver.New(c.config(withoutConditions{c.worker.Charts}))
				}
				v = c.settle(worker, v.ID)
				if encounters := len(c.hospital.chart("Encounter")); v.State.Delivery != visit.DeliveryAccepted || encounters != 1 {
					t.Errorf("delivery %s, %d encounters in the chart", v.State.Delivery, encounters)
				}
			})
		}
	}
}

func (c *clinic) spawn(id uuid.UUID, conditional bool) *exec.Cmd {
	c.t.Helper()
	token, _, err := c.hospital.tokens.BackendToken(c.t.Context(), "sandbox")
	must(c.t, err)
	config, err := json.Marshal(child{App: c.database.AppURL, KEK: c.kek, Base: c.hospital.URL + "/fhir", Certificate: string(certificate(c.hospital)), Token: token,
		Org: c.org, Delivery: id, Conditional: conditional})
	must(c.t, err)
	self, err := os.Executable()
	must(c.t, err)
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(config))
	cmd.Stderr = os.Stderr
	must(c.t, cmd.Start())
	c.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

func (c *clinic) await(there func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !there() {
		if time.Now().After(deadline) {
			c.t.Fatal("it does not come")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
