package web_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

// provenAgo is the clinician in a session whose proof of identity is so old.
func (c *clinic) provenAgo(ago time.Duration, connection string) person {
	c.t.Helper()
	p := c.clinician
	cookie, principal, err := c.sessions.Begin(c.t.Context(), p.actor, identity.Session{Kind: audit.Staff, Staff: p.actor.ID,
		Roles: []identity.Role{identity.Clinician}, Connection: connection, AuthTime: c.now.Add(-ago)})
	c.check(err)
	p.cookie, p.csrf = cookie, principal.CSRF
	return p
}

func TestSigningAsksForAFreshProof(t *testing.T) {
	c := openClinic(t)
	v := c.booked(c.clinician, c.admit("Patient/ana"), 0)
	page := "/visits/" + v.ID.String()
	c.expect(c.post(c.clinician, page+"/start", nil), 303)
	c.expect(c.script(c.clinician, "PUT", page+"/note", map[string]any{"version": 0, "assessment": "Viral pharyngitis", "plan": "Rest"}, nil), 200)
	c.expect(c.post(c.clinician, page+"/end", nil), 303)

	old, proveAgain := c.provenAgo(2*time.Hour, "north"), "/prove-again?next="+url.QueryEscape(page+"/review")
	shown := fingerprint(t, c.expect(c.get(c.clinician, page+"/review"), 200))
	for _, got := range []string{c.get(old, page+"/review").Header().Get("Location"),
		c.post(old, page+"/sign", url.Values{"sha256": {shown}}).Header().Get("Location")} {
		if got != proveAgain {
			t.Errorf("sent to %q", got)
		}
	}
	if refused := c.events("access.refused"); len(refused) != 1 || !strings.Contains(string(refused[0].Detail), "proof-too-old") || *refused[0].Visit != v.ID {
		t.Errorf("refusals %+v", refused)
	}
	if len(c.events("note.signed")) != 0 {
		t.Fatal("an old proof signed a note")
	}
	// Who was launched from the chart cannot be asked again; the chart's own sign-in counts.
	c.expect(c.get(c.provenAgo(2*time.Hour, "ehr"), page+"/review"), 200)
	c.expect(c.post(c.provenAgo(59*time.Minute, "north"), page+"/sign", url.Values{"sha256": {shown}}), 303)
	if len(c.events("note.signed")) != 1 {
		t.Fatal("the note is not signed")
	}

	form := url.Values{"section": {"plan"}, "text": {"Come back in a week"}}
	kept := c.expect(c.post(old, page+"/addendum", form), 200, "Come back in a week", `href="/prove-again?next=`, `target="_blank"`)
	form.Set("sha256", fingerprint(t, kept))
	c.expect(c.post(old, page+"/addendum", form), 200, "Come back in a week", `data-testid="review-prove"`)
	if len(c.events("note.amended")) != 0 || len(c.events("access.refused")) != 2 {
		t.Fatal("an old proof amended a note, or left no trace")
	}
	c.expect(c.post(c.provenAgo(0, "north"), page+"/addendum", form), 303)
}

func fingerprint(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`name="sha256" value="([0-9a-f]{64})"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatal("the page has no fingerprint")
	}
	return found[1]
}
