package ssotest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/sso"
)

func TestAClinicianIsTheSameWhicheverWayIn(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	launched, err := w.browser().launch("k.osei", "/launch/"+w.appointment())
	if err != nil {
		t.Fatal(err)
	}
	if launched.Kind != "smart" || launched.Issuer != w.origin+"/auth" || launched.FHIRUser.Reveal() != "Practitioner/prac-osei" ||
		launched.Context.Patient.Reveal() != "Patient/pat-0001" || launched.Context.Appointment.Reveal() != "Appointment/"+w.appointment() ||
		launched.Context.NeedPatientBanner || launched.Context.Tenant != "sandbox-hospital" || launched.Grant == nil {
		t.Errorf("launch: %+v", launched)
	}
	signedIn, err := w.browser().login("k.osei")
	if err != nil {
		t.Fatal(err)
	}
	if signedIn.Kind != "sso" || signedIn.ReturnPath != "/worklist" || signedIn.EHR != "sandbox" || !slices.Equal(signedIn.Roles, []identity.Role{identity.Clinician}) || signedIn.AuthTime.IsZero() {
		t.Errorf("login: %+v", signedIn)
	}
	one, err := w.people.SignIn(ctx, w.from, w.org, launched.Identity())
	if err != nil {
		t.Fatal(err)
	}
	two, err := w.people.SignIn(ctx, w.from, w.org, signedIn.Identity())
	if err != nil || one.ID != two.ID {
		t.Errorf("two people: %s, %s, %v", one.ID, two.ID, err)
	}
	sessions := identity.NewSessions(w.db, identity.SessionLimits{}, time.Now)
	value, _, err := sessions.Begin(ctx, audit.Actor{Org: w.org, IP: w.from.IP}, identity.Session{Kind: audit.Staff, Staff: two.ID, Roles: two.Roles,
		Connection: signedIn.Connection, AuthTime: signedIn.AuthTime, ACR: signedIn.ACR, IssuerSession: signedIn.SessionID})
	if err != nil {
		t.Fatal(err)
	}
	p, err := sessions.Lookup(ctx, value)
	if err != nil || identity.Can(p, identity.WorklistView, identity.Resource{Org: w.org}) != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestStaffRoles(t *testing.T) {
	w := newWorld(t)
	for username, role := range map[string]identity.Role{"n.okafor": identity.Scheduler, "l.brandt": identity.Compliance, "admin": identity.Admin} {
		r, err := w.browser().login(username)
		if err != nil || !slices.Equal(r.Roles, []identity.Role{role}) || !r.FHIRUser.IsZero() {
			t.Errorf("%s: %+v, %v", username, r, err)
		}
	}
}

func TestALaunchWithoutAnAppointment(t *testing.T) {
	w := newWorld(t)
	r, err := w.browser().launch("k.osei", "/launch-patient/pat-0002")
	if err != nil || r.Context.Patient.Reveal() != "Patient/pat-0002" || !r.Context.Appointment.IsZero() || !r.Context.Encounter.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAReplayedCallbackIsRefused(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	b := w.browser()
	redirect, err := w.BeginLogin(ctx, w.from, "staff", "/", cookie)
	if err != nil {
		t.Fatal(err)
	}
	query := b.follow(redirect, "n.okafor")
	if _, err := b.complete(query); err != nil {
		t.Fatal(err)
	}
	_, err = b.complete(query)
	var refused *sso.Refused
	if !errors.As(err, &refused) || refused.Code() != "state-used" {
		t.Errorf("%v", err)
	}
}

func TestStepUpAsksForThePassword(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	b := w.browser()
	first, err := b.login("k.osei")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond) // auth_time counts whole seconds, and the sandbox's library knows no other clock
	again, err := b.login("k.osei")
	if err != nil || !again.AuthTime.Equal(first.AuthTime) {
		t.Errorf("a sign-in in the same browser asked again: %v, %v", again.AuthTime, err)
	}
	redirect, err := w.BeginStepUp(ctx, w.from, "staff", "/visits/1/review", cookie, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	stepped, err := b.complete(b.follow(redirect, "k.osei"))
	if err != nil || !stepped.AuthTime.After(first.AuthTime) {
		t.Errorf("stepped up at %v after %v, %v", stepped.AuthTime, first.AuthTime, err)
	}
}

// expire makes a grant's token look used up, since the clocks of two servers cannot both be moved.
func (w *world) expire(grant uuid.UUID) {
	w.t.Helper()
	err := w.db.Do(context.Background(), audit.SystemActor(w.org), audit.Event{Action: "test.prepared"}, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, `update ehr_grant set expires_at = $2 where id = $1`, grant, tx.Now)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestTheGrantIsRefreshedByTheSandbox(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	r, err := w.browser().launch("k.osei", "/launch/"+w.appointment())
	if err != nil {
		t.Fatal(err)
	}
	if r.Grant.Refresh.IsZero() || !slices.Contains(r.Grant.Scopes, "online_access") {
		t.Fatalf("no refresh token; granted %v", r.Grant.Scopes)
	}
	person, err := w.people.SignIn(ctx, w.from, w.org, r.Identity())
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.SaveGrant(ctx, audit.Actor{Org: w.org, Kind: audit.Staff, ID: person.ID}, person.ID, uuid.Nil, r.Grant)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		token, _, err := w.GrantToken(ctx, w.org, id)
		if err != nil || seen[token] {
			t.Fatalf("the same token again: %v, %v", seen[token], err)
		}
		seen[token] = true
		w.expire(id)
	}
}
