package sso_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

func TestBackChannelLogout(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	token := func(change func(map[string]any)) string {
		c := map[string]any{"iss": h.op.URL + "/staff", "aud": "televisit-staff", "iat": h.clock().Unix(), "exp": h.clock().Add(time.Minute).Unix(), "jti": uuid.NewString(),
			"sub": "user-1", "sid": "sid-1", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		if change != nil {
			change(c)
		}
		return signed(t, c, jose.ES256, h.op.key, "op-1")
	}
	out, err := h.BackChannelLogout(ctx, h.from, "staff", token(nil))
	if err != nil || out.Org != h.org || out.Connection != "staff" || out.SessionID != "sid-1" || out.Subject != "user-1" {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err := h.BackChannelLogout(ctx, h.from, "staff", token(func(c map[string]any) { delete(c, "sub") })); err != nil || out.Subject != "" {
		t.Errorf("a session alone: %+v, %v", out, err)
	}
	for name, tc := range map[string]struct {
		change func(map[string]any)
		code   string
	}{
		"an id_token":     {func(c map[string]any) { c["nonce"] = "n" }, "id-token-malformed"},
		"an empty nonce":  {func(c map[string]any) { c["nonce"] = nil }, "id-token-malformed"},
		"no event":        {func(c map[string]any) { delete(c, "events") }, "id-token-malformed"},
		"another issuer":  {func(c map[string]any) { c["iss"] = h.op.URL + "/auth" }, "id-token-issuer"},
		"another client":  {func(c map[string]any) { c["aud"] = "televisit" }, "id-token-audience"},
		"an old one":      {func(c map[string]any) { c["iat"] = h.clock().Add(-6 * time.Minute).Unix() }, "id-token-time"},
		"an expired one":  {func(c map[string]any) { c["exp"] = h.clock().Add(-2 * time.Minute).Unix() }, "id-token-time"},
		"nobody's":        {func(c map[string]any) { delete(c, "sub"); delete(c, "sid") }, "id-token-malformed"},
		"one without jti": {func(c map[string]any) { delete(c, "jti") }, "id-token-malformed"},
	} {
		_, err := h.BackChannelLogout(ctx, h.from, "staff", token(tc.change))
		mustBe(t, name, err, "refused", tc.code)
	}
	_, err = h.BackChannelLogout(ctx, h.from, "staff", "noise")
	mustBe(t, "noise", err, "refused", "id-token-malformed")
	_, err = h.BackChannelLogout(ctx, h.from, "chart", token(nil))
	mustBe(t, "an EHR", err, "refused", "unknown-provider")
}
