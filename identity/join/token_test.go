package join_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/join"
)

func tokenReason(err error) string {
	var refused *join.TokenRefused
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

// seat is a visit with its patient, and the claims that let the patient in.
func (h *house) seat(t *testing.T, hour int) (uuid.UUID, join.Claims) {
	t.Helper()
	visit, room := h.visit(t, hour)
	link, err := h.links.NewPatientLink(context.Background(), h.staff, visit)
	if err != nil {
		t.Fatal(err)
	}
	return visit, join.Claims{Org: h.org, Room: room, Participant: link.Participant, Role: "patient"}
}

func TestRoomTokenIsUsedOnce(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	_, claims := h.seat(t, 1)
	token, expires, err := h.tokens.Issue(claims)
	if err != nil || !expires.Equal(h.clock().Add(5*time.Minute)) {
		t.Fatalf("expires %v, %v", expires, err)
	}
	got, err := h.tokens.Redeem(ctx, h.from, token)
	if err != nil || got != claims {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := h.tokens.Redeem(ctx, h.from, token); tokenReason(err) != "used" {
		t.Errorf("second use: %v", err)
	}
	h.pass(6 * time.Minute)
	if _, err := h.tokens.Redeem(ctx, h.from, token); tokenReason(err) != "expired" {
		t.Errorf("used and expired: %v", err)
	}
	// A later redemption clears away what has expired; the used token stays refused by its expiry.
	next, _, err := h.tokens.Issue(claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.tokens.Redeem(ctx, h.from, next); err != nil {
		t.Fatal(err)
	}
	if _, err := h.tokens.Redeem(ctx, h.from, token); tokenReason(err) != "expired" {
		t.Errorf("cleared away: %v", err)
	}
	if rows := h.trail(t, "room.refused"); len(rows) != 3 || rows[0].IP == nil || *rows[0].Room != claims.Room {
		t.Errorf("trail: %+v", rows)
	}
}

func TestParallelRedemptionHasOneWinner(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	_, claims := h.seat(t, 1)
	token, _, err := h.tokens.Issue(claims)
	if err != nil {
		t.Fatal(err)
	}
	var won, used atomic.Int32
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			switch _, err := h.tokens.Redeem(ctx, h.from, token); {
			case err == nil:
				won.Add(1)
			case tokenReason(err) == "used":
				used.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || used.Load() != 11 {
		t.Errorf("%d won, %d were told that it was used", won.Load(), used.Load())
	}
}

func TestTokenBelongsToItsPlace(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	_, mine := h.seat(t, 1)
	_, others := h.seat(t, 3)
	for name, c := range map[string]join.Claims{
		"another visit's room": {Org: h.org, Room: others.Room, Participant: mine.Participant, Role: "patient"},
		"another role":         {Org: h.org, Room: mine.Room, Participant: mine.Participant, Role: "clinician", Host: true},
		"no such room":         {Org: h.org, Room: uuid.New(), Participant: mine.Participant, Role: "patient"},
		"no such participant":  {Org: h.org, Room: mine.Room, Participant: uuid.New(), Role: "patient"},
	} {
		token, _, err := h.tokens.Issue(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.tokens.Redeem(ctx, h.from, token); tokenReason(err) != "foreign" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []join.Claims{{}, {Org: h.org, Room: mine.Room, Role: "patient"}, {Org: h.org, Room: mine.Room, Participant: mine.Participant}} {
		if _, _, err := h.tokens.Issue(c); err == nil {
			t.Errorf("issued for %+v", c)
		}
	}
}

func TestTokenOfAVisitThatIsOver(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	visit, claims := h.seat(t, 1)
	token, _, err := h.tokens.Issue(claims)
	if err != nil {
		t.Fatal(err)
	}
	h.exec(t, `update visit set stage = 'cancelled' where id = $1`, visit)
	if _, err := h.tokens.Redeem(ctx, h.from, token); tokenReason(err) != "closed" {
		t.Errorf("cancelled: %v", err)
	}
}

func TestForgedTokens(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	_, claims := h.seat(t, 1)
	good, _, err := h.tokens.Issue(claims)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	forge := func(key join.SigningKey, alg jose.SignatureAlgorithm, change func(map[string]any)) string {
		t.Helper()
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key.Secret}, (&jose.SignerOptions{}).WithHeader("kid", key.ID))
		if err != nil {
			t.Fatal(err)
		}
		body := map[string]any{"iss": "televisit", "aud": "televisit/room", "sub": claims.Participant, "jti": uuid.NewString(), "org": h.org, "room": claims.Room,
			"role": "patient", "nbf": h.clock().Unix(), "exp": h.clock().Add(time.Minute).Unix()}
		change(body)
		token, err := jwt.Signed(signer).Claims(body).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	mine := key("k1", 1)
	long := join.SigningKey{ID: "k1", Secret: []byte(strings.Repeat("\x01", 64))}
	same := func(map[string]any) {}
	if _, err := h.tokens.Redeem(ctx, h.from, forge(mine, jose.HS256, same)); err != nil {
		t.Fatalf("the forge's own pattern is not accepted: %v", err)
	}
	for name, token := range map[string]string{
		"empty": "", "noise": "a.b.c", "too long": strings.Repeat("a", 5000),
		"another body":      parts[0] + "." + strings.ToUpper(parts[1]) + "." + parts[2],
		"no signature":      parts[0] + "." + parts[1] + ".",
		"alg none":          "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ." + parts[1] + ".",
		"another key":       forge(key("k1", 2), jose.HS256, same),
		"unknown key id":    forge(key("k9", 1), jose.HS256, same),
		"another algorithm": forge(long, jose.HS512, same),
		"another audience":  forge(mine, jose.HS256, func(b map[string]any) { b["aud"] = "somebody" }),
		"another issuer":    forge(mine, jose.HS256, func(b map[string]any) { b["iss"] = "somebody" }),
		"not yet":           forge(mine, jose.HS256, func(b map[string]any) { b["nbf"] = h.clock().Add(time.Minute).Unix() }),
		"for ever":          forge(mine, jose.HS256, func(b map[string]any) { delete(b, "exp") }),
		"no id":             forge(mine, jose.HS256, func(b map[string]any) { delete(b, "jti") }),
		"no participant":    forge(mine, jose.HS256, func(b map[string]any) { b["sub"] = "me" }),
	} {
		if _, err := h.tokens.Redeem(ctx, h.from, token); tokenReason(err) != "malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	expired := forge(mine, jose.HS256, func(b map[string]any) { b["exp"] = h.clock().Add(-time.Second).Unix() })
	if _, err := h.tokens.Redeem(ctx, h.from, expired); tokenReason(err) != "expired" {
		t.Errorf("a second late: %v", err)
	}
}

func TestSigningKeysAreReplaced(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	_, claims := h.seat(t, 1)
	before, _, err := h.tokens.Issue(claims)
	if err != nil {
		t.Fatal(err)
	}
	after, err := join.NewTokens(h.db, h.clock, key("k2", 2), key("k1", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.Redeem(ctx, h.from, before); err != nil {
		t.Errorf("a token under way: %v", err)
	}
	fresh, _, err := after.Issue(claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.tokens.Redeem(ctx, h.from, fresh); tokenReason(err) != "malformed" {
		t.Errorf("the new key is unknown here: %v", err)
	}
	for name, bad := range map[string][]join.SigningKey{"short": {{ID: "k", Secret: []byte("short")}}, "nameless": {{Secret: key("", 1).Secret}}, "twice": {key("k", 1), key("k", 2)}} {
		if _, err := join.NewTokens(h.db, h.clock, bad[0], bad[1:]...); err == nil {
			t.Errorf("%s key was taken", name)
		}
	}
}
