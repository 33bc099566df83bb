package identity_test

import (
	"context"
	"encoding/base64"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

func TestSession(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	sessions := identity.NewSessions(h.db, identity.SessionLimits{}, h.clock)
	staff, who := h.clinician(t)
	begin := func() (string, identity.Principal) {
		t.Helper()
		cookie, p, err := sessions.Begin(ctx, who, identity.Session{Kind: audit.Staff, Staff: staff, Roles: []identity.Role{identity.Clinician}, Connection: "sso", IssuerSession: "sid-1"})
		if err != nil {
			t.Fatal(err)
		}
		return cookie, p
	}
	cookie, p := begin()
	got, err := sessions.Lookup(ctx, cookie)
	if err != nil || got.Session != p.Session || got.Staff != staff || got.Org != h.org || got.CSRF != p.CSRF || !got.Has(identity.Clinician) {
		t.Fatalf("%+v, %v", got, err)
	}
	for range 4 { // used every ten minutes it lives on
		h.pass(10 * time.Minute)
		if _, err := sessions.Lookup(ctx, cookie); err != nil {
			t.Fatal(err)
		}
	}
	h.pass(15 * time.Minute)
	if _, err := sessions.Lookup(ctx, cookie); code(err) != "idle" {
		t.Errorf("after 15 idle minutes: %v", err)
	}
	cookie, _ = begin()
	for range 72 {
		h.pass(10 * time.Minute)
		_, err = sessions.Lookup(ctx, cookie)
	}
	if code(err) != "expired" {
		t.Errorf("after 12 hours of use: %v", err)
	}
	cookie, p = begin()
	if err := sessions.End(ctx, p, h.from); err != nil {
		t.Fatal(err)
	}
	if _, err := sessions.Lookup(ctx, cookie); code(err) != "ended" {
		t.Errorf("after signing out: %v", err)
	}
	first, _ := begin()
	second, _ := begin()
	// The expired ones are still open on paper; all four are closed.
	if n, err := sessions.EndAll(ctx, h.admin, staff); err != nil || n != 4 {
		t.Errorf("ended %d, %v", n, err)
	}
	for _, c := range []string{first, second} {
		if _, err := sessions.Lookup(ctx, c); code(err) != "ended" {
			t.Errorf("after ending all: %v", err)
		}
	}
	cookie, _ = begin()
	if n, err := sessions.EndIssuerSession(ctx, h.from, h.org, "sso", "sid-1"); err != nil || n != 1 {
		t.Errorf("back-channel logout ended %d, %v", n, err)
	}
	if _, err := sessions.Lookup(ctx, cookie); code(err) != "ended" {
		t.Errorf("after the identity provider's logout: %v", err)
	}
	if _, err := sessions.EndIssuerSession(ctx, h.from, h.org, "sso", ""); err == nil {
		t.Error("a logout without a session id was taken")
	}
	trail := h.actions(t)
	if count(trail, "login.succeeded success") != 6 || count(trail, "logout success") != 1 || count(trail, "session.ended-all success") != 2 {
		t.Errorf("trail: %v", trail)
	}
}

func TestLookingOnIsNoUse(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	sessions := identity.NewSessions(h.db, identity.SessionLimits{}, h.clock)
	staff, who := h.clinician(t)
	begin := func() string {
		t.Helper()
		cookie, _, err := sessions.Begin(ctx, who, identity.Session{Kind: audit.Staff, Staff: staff, Roles: []identity.Role{identity.Clinician}})
		if err != nil {
			t.Fatal(err)
		}
		return cookie
	}
	cookie := begin()
	for range 14 { // an open stream looks again and again
		h.pass(time.Minute)
		if p, err := sessions.Peek(ctx, cookie); err != nil || p.Staff != staff {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	h.pass(time.Minute)
	if p, err := sessions.Peek(ctx, cookie); code(err) != "idle" || p.Session != uuid.Nil {
		t.Errorf("after 15 minutes of looking on: %+v, %v", p, err)
	}
	cookie = begin()
	for range 12 { // a call: a stream besides, and its page asks for the names every four minutes
		h.pass(4 * time.Minute)
		if _, err := sessions.Peek(ctx, cookie); err != nil {
			t.Fatal(err)
		}
		if _, err := sessions.Lookup(ctx, cookie); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sessions.Peek(ctx, "noise"); code(err) != "none" {
		t.Errorf("noise: %v", err)
	}
}

func TestSessionGoesOnFromAnother(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	sessions := identity.NewSessions(h.db, identity.SessionLimits{}, h.clock)
	staff, who := h.clinician(t)
	proof := identity.Session{Kind: audit.Staff, Staff: staff, Roles: []identity.Role{identity.Clinician}}
	_, first, err := sessions.Begin(ctx, who, proof)
	if err != nil {
		t.Fatal(err)
	}
	h.pass(time.Minute)
	proof.CSRF = first.CSRF
	cookie, second, err := sessions.Begin(ctx, who, proof)
	if err != nil || second.Session == first.Session || second.CSRF != first.CSRF || !second.AuthTime.After(first.AuthTime) {
		t.Fatalf("%+v after %+v, %v", second, first, err)
	}
	if err := sessions.End(ctx, first, h.from); err != nil {
		t.Fatal(err)
	}
	if p, err := sessions.Lookup(ctx, cookie); err != nil || p.CSRF != first.CSRF {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestCookieThatOpensNothing(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	sessions := identity.NewSessions(h.db, identity.SessionLimits{}, h.clock)
	staff, who := h.clinician(t)
	cookie, _, err := sessions.Begin(ctx, who, identity.Session{Kind: audit.Staff, Staff: staff, Roles: []identity.Role{identity.Clinician}})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(cookie)
	otherOrg := slices.Clone(raw)
	copy(otherOrg, uuid.New().NodeID())
	otherSecret := slices.Clone(raw)
	otherSecret[47] ^= 1
	for name, c := range map[string]string{
		"empty": "", "noise": "%%%", "short": cookie[:40], "long": cookie + "AAAA", "padded": cookie + "==",
		"other organisation": base64.RawURLEncoding.EncodeToString(otherOrg), "other secret": base64.RawURLEncoding.EncodeToString(otherSecret),
	} {
		if _, err := sessions.Lookup(ctx, c); code(err) != "none" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsTakenAwayEndsAtOnce(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	sessions := identity.NewSessions(h.db, identity.SessionLimits{}, h.clock)
	staff, who := h.clinician(t)
	cookie, _, err := sessions.Begin(ctx, who, identity.Session{Kind: audit.Staff, Staff: staff, Roles: []identity.Role{identity.Clinician, identity.Scheduler}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := sessions.Lookup(ctx, cookie)
	if err != nil || p.Has(identity.Scheduler) || !p.Has(identity.Clinician) {
		t.Errorf("roles %v, %v: a session has a role that its person lacks", p.Roles, err)
	}
	person, err := h.people.Staff(ctx, h.admin, staff)
	if err != nil {
		t.Fatal(err)
	}
	person.Active = false
	if _, err := h.people.SaveStaff(ctx, h.admin, person); err != nil {
		t.Fatal(err)
	}
	if _, err := sessions.Lookup(ctx, cookie); code(err) != "ended" {
		t.Errorf("of a deactivated person: %v", err)
	}
}
