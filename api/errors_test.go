package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

func TestErrorTable(t *testing.T) {
	denied := identity.Can(identity.Principal{Org: uuid.UUID{1}}, identity.AuditRead, identity.Resource{Org: uuid.UUID{1}})
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"refused by the policy":    {denied, 403, "not-permitted"},
		"not there":                {scheduling.ErrNotFound, 404, "not-found"},
		"no such person":           {identity.ErrNoStaff, 404, "not-found"},
		"time taken":               {&scheduling.Taken{}, 409, "conflict"},
		"changed meanwhile":        {&scheduling.Changed{Version: 2}, 409, "conflict"},
		"not in this state":        {&visit.Refused{}, 409, "not-now"},
		"without consent":          {&scheduling.NotConsented{}, 409, "no-consent"},
		"a value of no use":        {&scheduling.Invalid{Field: "day", Problem: "is not a date"}, 400, "invalid"},
		"a field of no use":        {&api.Invalid{Field: "slot", Sentence: "Choose a time."}, 400, "invalid"},
		"session over":             {&identity.SessionOver{}, 401, "signed-out"},
		"link expired":             {&join.LinkRefused{Reason: "expired"}, 410, "expired"},
		"link unknown":             {&join.LinkRefused{Reason: "unknown"}, 404, "unknown"},
		"link locked":              {&join.LinkRefused{Reason: "locked"}, 429, "locked"},
		"wrong date of birth":      {&join.LinkRefused{Reason: "wrong-birth-date"}, 403, "wrong-birth-date"},
		"room token used":          {&join.TokenRefused{Reason: "used"}, 403, "used"},
		"sign-in refused":          {&sso.Refused{}, 403, ""},
		"sign-in service down":     {&sso.Failed{}, 503, "offline"},
		"too slow":                 {context.DeadlineExceeded, 503, "offline"},
		"body too large":           {&http.MaxBytesError{Limit: 1}, 413, "too-large"},
		"wrapped with its status":  {&api.Statused{Status: 502, Err: errors.New("x")}, 502, ""},
		"wrapped as a conflict":    {&api.Conflict{Err: errors.New("x")}, 409, "conflict"},
		"unknown errors tell none": {errors.New("name is Ruiz"), 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			got := api.ProblemOf(fmt.Errorf("while doing: %w", test.err))
			if got.Status != test.status || got.Code != test.code {
				t.Fatalf("%+v", got)
			}
			if got.Status == 500 && got.Detail != "" {
				t.Fatalf("an internal error tells %q", got.Detail)
			}
		})
	}
}
