package ssotest

import (
	"context"
	"testing"
	"time"

	"github.com/televisit/televisit/identity/sso"
)

// BenchmarkLaunch tells the server's share of a launch: BeginLaunch and Complete with all that they ask of the EHR, without
// the browser's own round trips. The budget is 150 ms.
func BenchmarkLaunch(b *testing.B) {
	ctx, w := context.Background(), newWorld(b)
	if err := w.Warm(ctx); err != nil {
		b.Fatal(err)
	}
	person := w.browser()
	person.signIn("k.osei", "/")
	var share time.Duration
	for b.Loop() {
		query := person.follow(w.origin+"/launch/"+w.appointment()+"?app=televisit", "k.osei")
		began := time.Now()
		redirect, err := w.BeginLaunch(ctx, w.from, query.Get("iss"), query.Get("launch"), cookie)
		share += time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
		back := person.follow(redirect, "k.osei")
		began = time.Now()
		_, err = w.Complete(ctx, w.from, sso.Callback{Code: back.Get("code"), State: back.Get("state"), Iss: back.Get("iss"), Browser: cookie})
		share += time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(share.Milliseconds())/float64(b.N), "ms-server-share/launch")
}
