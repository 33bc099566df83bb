package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/televisit/televisit/api"
)

func TestFiguresAreServed(t *testing.T) {
	m := api.NewMetrics()
	rooms := 2.0
	for _, err := range []error{m.Gauge("rooms", "Rooms.", func() float64 { return rooms }), m.Counter("bytes_total", "Bytes.", func() float64 { return 7 })} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Gauge("rooms", "Others.", func() float64 { return 0 }); err == nil {
		t.Error("two figures have one name")
	}
	rooms = 3
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{"\ntelevisit_rooms 3\n", "# TYPE televisit_rooms gauge", "televisit_bytes_total 7\n", "# TYPE televisit_bytes_total counter"} {
		if !strings.Contains("\n"+w.Body.String(), line) {
			t.Errorf("no %q in\n%s", line, w.Body)
		}
	}
}
