package sso_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/sso"
)

func (h *house) grant(t *testing.T) uuid.UUID {
	t.Helper()
	r, err := h.launch()
	if err != nil {
		t.Fatal(err)
	}
	staff, who := h.clinician(t)
	id, err := h.SaveGrant(context.Background(), who, staff, uuid.Nil, r.Grant)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestGrantIsRefreshedOnce(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	id := h.grant(t)
	first, _, err := h.GrantToken(ctx, h.org, id)
	if err != nil || h.op.count("refresh_token") != 0 {
		t.Fatalf("%v", err)
	}
	h.pass(5 * time.Minute)
	tokens := make([]string, 8)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			token, expires, err := h.GrantToken(ctx, h.org, id)
			if err != nil || !expires.After(h.clock()) {
				t.Errorf("expires %v, %v", expires, err)
			}
			tokens[i] = token
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if token == first || token != tokens[0] {
			t.Errorf("tokens differ: %v", tokens)
		}
	}
	// The server rotates and would have answered a second use with invalid_grant.
	if n := h.op.count("refresh_token"); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	h.pass(5 * time.Minute)
	if token, _, err := h.GrantToken(ctx, h.org, id); err != nil || token == tokens[0] {
		t.Errorf("the rotated refresh token: %v", err)
	}
	if g, err := h.Grant(ctx, h.org, id); err != nil || g.EHR != "chart" || len(g.Scopes) == 0 {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestGrantThatIsOver(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	id := h.grant(t)
	h.pass(5 * time.Minute)
	h.op.with(func() { h.op.status = 503 })
	if _, _, err := h.GrantToken(ctx, h.org, id); err == nil || errors.Is(err, sso.ErrGrantOver) {
		t.Errorf("while the EHR is down: %v", err)
	}
	h.op.with(func() { h.op.status, h.op.refresh = 0, "revoked by the EHR" })
	for range 2 {
		if _, _, err := h.GrantToken(ctx, h.org, id); !errors.Is(err, sso.ErrGrantOver) {
			t.Errorf("revoked: %v", err)
		}
	}
	if n := h.op.count("refresh_token"); n != 2 {
		t.Errorf("a revoked grant was tried again: %d requests", n)
	}
	rows, err := h.db.Search(ctx, audit.SystemActor(h.org), audit.Filter{Action: "grant.revoked"})
	if err != nil || len(rows) != 1 || rows[0].ObjectID != id.String() {
		t.Errorf("trail: %+v, %v", rows, err)
	}
	if _, _, err := h.GrantToken(ctx, h.org, uuid.New()); !errors.Is(err, sso.ErrGrantOver) {
		t.Errorf("no such grant: %v", err)
	}
	if _, _, err := h.GrantToken(ctx, uuid.New(), id); err == nil {
		t.Error("another organisation took the grant")
	}
	h.op.with(func() { h.op.answer = func(a map[string]any) { delete(a, "refresh_token") } })
	short := h.grant(t)
	h.pass(5 * time.Minute)
	if _, _, err := h.GrantToken(ctx, h.org, short); !errors.Is(err, sso.ErrGrantOver) {
		t.Errorf("without a refresh token: %v", err)
	}
}

func TestRefreshTokenThatDoesNotRotate(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	id := h.grant(t)
	h.op.with(func() {
		kept := h.op.refresh
		h.op.answer = func(a map[string]any) {
			delete(a, "refresh_token")
			h.op.refresh = kept
		}
	})
	for range 2 {
		h.pass(5 * time.Minute)
		if _, _, err := h.GrantToken(ctx, h.org, id); err != nil {
			t.Error(err)
		}
	}
}

func TestRefreshOutlivesItsCaller(t *testing.T) {
	h := newHouse(t)
	id := h.grant(t)
	h.pass(5 * time.Minute)
	gone, cancel := context.WithCancel(context.Background())
	h.op.with(func() { h.op.answer = func(map[string]any) { cancel() } })
	if _, _, err := h.GrantToken(gone, h.org, id); err != nil {
		t.Errorf("the answer was lost with its caller: %v", err)
	}
	h.pass(5 * time.Minute)
	if _, _, err := h.GrantToken(context.Background(), h.org, id); err != nil {
		t.Errorf("the rotated token was lost: %v", err)
	}
}

func TestBackendToken(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	tokens := make([]string, 8)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			token, _, err := h.BackendToken(ctx, "chart")
			if err != nil {
				t.Error(err)
			}
			tokens[i] = token
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if token != tokens[0] || token == "" {
			t.Errorf("tokens differ: %v", tokens)
		}
	}
	if h.op.count("client_credentials") != 1 || h.op.lastForm.Get("scope") != "system/DocumentReference.cs" {
		t.Errorf("%d requests, the last %v", h.op.count("client_credentials"), h.op.lastForm["scope"])
	}
	h.pass(5*time.Minute - 31*time.Second)
	if token, _, err := h.BackendToken(ctx, "chart"); err != nil || token != tokens[0] {
		t.Errorf("replaced too early: %v", err)
	}
	h.pass(2 * time.Second)
	second, expires, err := h.BackendToken(ctx, "chart")
	if err != nil || second == tokens[0] || !expires.After(h.clock().Add(4*time.Minute)) {
		t.Errorf("not replaced before its end: %v", err)
	}
	h.ForgetBackendToken("chart")
	if third, _, err := h.BackendToken(ctx, "chart"); err != nil || third == second {
		t.Errorf("a forgotten token came back: %v", err)
	}
	h.pass(time.Hour)
	h.op.with(func() { h.op.status, h.op.failure = 401, "invalid_client" })
	_, _, err = h.BackendToken(ctx, "chart")
	mustBe(t, "refused", err, "failure", "invalid-client")
	_, _, err = h.BackendToken(ctx, "no such chart")
	mustBe(t, "unknown", err, "failure", "bad-metadata")
}

func TestTokensAreSealed(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	h.op.answer = func(a map[string]any) { a["access_token"] = "CANARY-access" }
	id := h.grant(t)
	err := h.db.Read(ctx, h.org, func(ctx context.Context, tx pgx.Tx) error {
		var found int
		err := tx.QueryRow(ctx, `select count(*) from ehr_grant g where id = $1 and (position('CANARY'::bytea in tokens_sealed) > 0 or g::text like '%CANARY%')`, id).Scan(&found)
		if found != 0 {
			t.Error("a token lies open in the database")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if token, _, err := h.GrantToken(ctx, h.org, id); err != nil || token != "CANARY-access" {
		t.Errorf("%v", err)
	}
}
