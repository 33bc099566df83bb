package web_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
)

// The real parts fit the interfaces that the call's pages ask for.
var (
	_ web.CallVisits    = (*scheduling.Service)(nil)
	_ web.VisitorVisits = (*scheduling.Service)(nil)
	_ web.Notes         = (*note.Service)(nil)
	_ web.GuestLinks    = (*join.Links)(nil)
	_ web.Links         = (*join.Links)(nil)
	_ web.RoomTokens    = (*join.Tokens)(nil)
	_ web.ChartSearch   = (*web.EHRCharts)(nil)
)

// clinic is the pages of a call on real parts.
type clinic struct {
	*hospital
	links  *join.Links
	tokens *join.Tokens
	lists  *chartLists
}

func openClinic(t *testing.T) *clinic {
	t.Helper()
	ctx := t.Context()
	h := &hospital{t: t, org: uuid.New(), now: monday()}
	clock := func() time.Time { return h.now }
	quiet := slog.New(slog.DiscardHandler)
	database := testdb.New(t)
	h.db = must(audit.Open(ctx, database.AppURL, clock, quiet))(t)
	t.Cleanup(h.db.Close)
	jobs := must(job.Open(ctx, job.Config{URL: database.AppURL, Now: clock, Log: quiet}))(t)
	t.Cleanup(jobs.Close)
	kek := must(keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "kek")}))(t)
	ring := identity.NewKeyring(h.db, kek)
	h.check(ring.CreateOrganisation(ctx, h.org, "North Hospital", "America/New_York"))
	h.people = identity.NewPeople(h.db, ring)
	h.sessions = identity.NewSessions(h.db, identity.SessionLimits{}, clock)
	h.Service = scheduling.New(scheduling.Config{DB: h.db, Sealers: ring, Jobs: jobs, Keys: kek, Now: clock})
	h.clinician, h.colleague, h.scheduler = h.hire("clinician", "Dr. Kofi Osei"), h.hire("clinician", "Dr. Mara Lindholm"), h.hire("scheduler", "Sam Lee")
	c := &clinic{hospital: h, links: join.NewLinks(h.db, ring, h.sessions, origin, clock), lists: openChartLists(t)}
	c.tokens = must(join.NewTokens(h.db, clock, join.SigningKey{ID: "k1", Secret: bytes.Repeat([]byte{7}, 32)}))(t)
	c.open(ring, clock, quiet)
	return c
}

func (c *clinic) open(ring *identity.Keyring, clock func() time.Time, quiet *slog.Logger) {
	signing := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(c.t)
	notes := note.New(note.Config{DB: c.db, Sealers: ring, Visits: c.Service, RecordingURL: func(id uuid.UUID) string { return origin + "/recordings/" + id.String() },
		SigningKey: func(context.Context, uuid.UUID) (note.SigningKey, error) {
			return note.SigningKey{ID: "k1", Key: signing}, nil
		}})
	desk := &web.Desk{Staff: c.people, Organisations: ring, Log: quiet}
	site := must(web.NewSite(desk.Frame, quiet))(c.t)
	charts := &web.EHRCharts{Client: func(org uuid.UUID, name string) (*ehr.Client, bool) { return c.lists.client, org == c.org }}
	c.engine = must(api.New(api.Deps{Origin: origin, Sessions: c.sessions, Trail: c.db, Pages: site, Metrics: prometheus.NewRegistry(), Now: clock, Log: quiet},
		&web.VisitPages{Site: site, Visits: c.Service, Notes: notes, Guests: c.links, Tokens: c.tokens, Chart: charts, Trail: c.db, Now: clock,
			Proof: web.Proof{Within: time.Hour, Again: func(_ uuid.UUID, connection string) bool { return connection == "north" }}},
		&web.LinkPages{Site: site, Links: c.links},
		&web.VisitorPages{Site: site, Visits: c.Service, Tokens: c.tokens, Trail: c.db, Now: clock}))(c.t)
}

// script sends JSON as the pages' scripts do, and reads the answer into into.
func (c *clinic) script(p person, method, path string, body, into any) *httptest.ResponseRecorder {
	c.t.Helper()
	data := must(json.Marshal(body))(c.t)
	r := httptest.NewRequest(method, path, bytes.NewReader(data))
	r.RemoteAddr = "203.0.113.77:40000"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-CSRF", p.csrf)
	if p.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-televisit", Value: p.cookie})
	}
	w := httptest.NewRecorder()
	c.engine.ServeHTTP(w, r)
	if into != nil && w.Body.Len() > 0 {
		c.check(json.Unmarshal(w.Body.Bytes(), into))
	}
	return w
}

// arriveBy goes through a link and gives who came out of it.
func (c *clinic) arriveBy(link join.Link, birthDate string) (person, *httptest.ResponseRecorder) {
	c.t.Helper()
	_, secret, _ := strings.Cut(link.URL, "#")
	w := c.script(person{}, http.MethodPost, "/v/"+link.ID.String()+"/prove", map[string]string{"secret": secret, "birthDate": birthDate}, nil)
	var p person
	for _, cookie := range w.Result().Cookies() {
		if cookie.Name == "__Host-televisit" {
			p.cookie = cookie.Value
			principal := must(c.sessions.Lookup(c.t.Context(), p.cookie))(c.t)
			p.csrf, p.actor = principal.CSRF, audit.Actor{Org: c.org, Kind: principal.Kind, ID: principal.Participant}
		}
	}
	return p, w
}

// patientOf is the visit's patient, signed in by a link of their own.
func (c *clinic) patientOf(v scheduling.VisitView) person {
	c.t.Helper()
	p, w := c.arriveBy(must(c.links.NewPatientLink(c.t.Context(), c.scheduler.actor, v.ID))(c.t), "1992-03-12")
	c.expect(w, http.StatusOK, `"/visit"`)
	return p
}

// chartLists is a FHIR server that knows a patient's problems and medications, and fails on allergies.
type chartLists struct{ client *ehr.Client }

func openChartLists(t *testing.T) *chartLists {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		_ = r.ParseForm()
		if r.Form.Get("patient") != "Patient/ana" || strings.Contains(r.URL.Path, "AllergyIntolerance") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		entry := `{"resource":{"resourceType":"MedicationRequest","id":"m","medicationCodeableConcept":{"text":"Lisinopril 10 mg"},"dosageInstruction":[{"text":"once daily"}]}}`
		if strings.Contains(r.URL.Path, "Condition") {
			entry = `{"resource":{"resourceType":"Condition","id":"a","code":{"coding":[{"display":"Essential hypertension"}]},"onsetDateTime":"2019-04-01"}},
				{"resource":{"resourceType":"Condition","id":"b","code":{"text":"Broken arm"},"clinicalStatus":{"coding":[{"code":"resolved"}]}}}`
		}
		_, _ = w.Write([]byte(`{"resourceType":"Bundle","type":"searchset","entry":[` + entry + `]}`))
	}))
	t.Cleanup(server.Close)
	return &chartLists{client: must(ehr.New(ehr.Config{Base: server.URL, HTTP: server.Client(), Token: func(context.Context) (string, error) { return "token", nil },
		Now: time.Now, Log: slog.New(slog.DiscardHandler)}))(t)}
}

func phiName(name string) phi.Text { return phi.NewText(name) }
