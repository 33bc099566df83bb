package sso_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/televisit/televisit/identity/sso"
)

// FuzzParseLaunch holds that a launch is taken whole or refused by type, and that what is taken is fit for an address.
func FuzzParseLaunch(f *testing.F) {
	for _, seed := range []string{
		"iss=https%3A%2F%2Fehr.example%2Ffhir&launch=abc", "launch=abc", "iss=&launch=", "iss=a&iss=b&launch=c", "iss=%zz&launch=a", "iss=a;launch=b",
		"iss=%00&launch=a", "iss=a&launch=%0d%0aSet-Cookie:x", "iss=a&launch=%C3%28", "iss=a&launch=b%26c%3Dd%23e", "iss=a&launch=%E2%80%AE",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		iss, launch, err := sso.ParseLaunch(query)
		if err != nil {
			var refused *sso.Refused
			if !errors.As(err, &refused) || refused.Code() != "bad-launch" {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if iss == "" || launch == "" || len(iss) > 2048 || len(launch) > 8192 {
			t.Fatal("empty or too long, and taken")
		}
		again, err := url.ParseQuery(url.Values{"iss": {iss}, "launch": {launch}}.Encode())
		if err != nil || again.Get("iss") != iss || again.Get("launch") != launch {
			t.Fatal("does not survive an address")
		}
		for _, r := range iss + launch {
			if r < ' ' || r == 0x7f {
				t.Fatalf("a control character was taken: %U", r)
			}
		}
	})
}
