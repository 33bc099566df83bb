package web_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/media/recorder"
	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// The real parts fit the interfaces that the pages ask for.
var (
	_ web.SignInFlows     = (*sso.SSO)(nil)
	_ web.Register        = (*identity.People)(nil)
	_ web.SessionKeeper   = (*identity.Sessions)(nil)
	_ web.StaffRegister   = (*identity.People)(nil)
	_ web.Organisations   = (*identity.Keyring)(nil)
	_ web.LaunchVisits    = (*scheduling.Service)(nil)
	_ web.WorklistVisits  = (*scheduling.Service)(nil)
	_ web.ScheduleVisits  = (*scheduling.Service)(nil)
	_ web.RecordingVisits = (*scheduling.Service)(nil)
	_ web.CallRegister    = (*scheduling.Service)(nil)
	_ web.PatientLinks    = (*join.Links)(nil)
	_ web.Playbacks       = (*recorder.Recorder)(nil)
	_ web.Trail           = (*audit.DB)(nil)
	_ web.Notifications   = (*audit.DB)(nil)
	_ web.Charts          = (*web.EHRCharts)(nil)
)

const origin = "https://visits.example.org"

// person is somebody who is signed in.
type person struct {
	actor        audit.Actor
	cookie, csrf string
}

// hospital is the pages on real parts: database, keys, sessions, scheduling, links, and an EHR over TLS.
type hospital struct {
	*scheduling.Service
	t                                           *testing.T
	db                                          *audit.DB
	org                                         uuid.UUID
	sessions                                    *identity.Sessions
	people                                      *identity.People
	engine                                      *api.Engine
	launches                                    *web.LaunchDesk
	chart                                       *chart
	now                                         time.Time
	clinician, colleague, scheduler, compliance person
	admin                                       person
}

// monday is 09:00 in New York.
func monday() time.Time { return time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC) }

func openHospital(t *testing.T) *hospital {
	t.Helper()
	ctx := t.Context()
	h := &hospital{t: t, org: uuid.New(), now: monday()}
	clock := func() time.Time { return h.now }
	quiet := slog.New(slog.DiscardHandler)
	database := testdb.New(t)
	h.db = must(audit.Open(ctx, database.AppURL, clock, quiet))(t)
	t.Cleanup(h.db.Close)
	jobs := must(job.Open(ctx, job.Config{URL: database.AppURL, Now: clock, Log: quiet}))(t)
	t.Cleanup(jobs.Close)
	kek := must(keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "kek")}))(t)
	ring := identity.NewKeyring(h.db, kek)
	h.check(ring.CreateOrganisation(ctx, h.org, "North Hospital", "America/New_York"))
	h.people = identity.NewPeople(h.db, ring)
	h.sessions = identity.NewSessions(h.db, identity.SessionLimits{}, clock)
	h.Service = scheduling.New(scheduling.Config{DB: h.db, Sealers: ring, Jobs: jobs, Keys: kek, Now: clock})
	h.clinician, h.colleague = h.hire("clinician", "Dr. Kofi Osei"), h.hire("clinician", "Dr. Mara Lindholm")
	h.scheduler, h.compliance = h.hire("scheduler", "Sam Lee"), h.hire("compliance", "Lena Park")
	h.admin = h.hire("admin", "Sam Whitfield")
	h.chart = openChart(t)
	h.wire(ring, clock, quiet)
	return h
}

func (h *hospital) wire(ring *identity.Keyring, clock func() time.Time, quiet *slog.Logger) {
	desk := &web.Desk{Staff: h.people, Organisations: ring, Log: quiet}
	site := must(web.NewSite(desk.Frame, quiet))(h.t)
	charts := &web.EHRCharts{Client: func(org uuid.UUID, name string) (*ehr.Client, bool) {
		return h.chart.client, org == h.org && name == "sandbox"
	}}
	events := web.NewEvents(h.db)
	h.t.Cleanup(events.Close)
	h.launches = &web.LaunchDesk{Site: site, Visits: h.Service, Charts: charts, Now: clock}
	h.engine = must(api.New(api.Deps{Origin: origin, Sessions: h.sessions, Trail: h.db, Pages: site, Metrics: prometheus.NewRegistry(), Now: clock, Log: quiet},
		&web.FrontPages{Site: site, Origin: origin, Providers: []web.SignInProvider{{Name: "north", Organisation: "North Hospital"}}, Flows: noFlows{}, People: h.people, Sessions: h.sessions, Staff: h.people, Launches: h.launches},
		h.launches, events,
		&web.WorklistPages{Site: site, Visits: h.Service, Staff: h.people, Now: clock},
		&web.SchedulePages{Site: site, Visits: h.Service, Staff: h.people, Charts: charts, Links: join.NewLinks(h.db, ring, h.sessions, origin, clock),
			EHRs: func(uuid.UUID) []string { return []string{"sandbox"} }, Types: web.UsualTypes(), Now: clock},
		&web.RecordingPages{Site: site, Visits: h.Service, Playbacks: noPlaybacks{}, Now: clock},
		&web.AuditPages{Site: site, Trail: h.db, Seals: noSeals{}, Staff: h.people, Origin: origin},
		&web.BoundaryPages{Site: site, Boundary: hops{}, Version: "test", Now: clock},
		&web.AdminPages{Site: site, Calls: h.Service, Staff: h.people, Now: clock}))(h.t)
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func (h *hospital) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hospital) hire(role, name string) person {
	h.t.Helper()
	ctx := h.t.Context()
	id := must(h.people.SaveStaff(ctx, audit.SystemActor(h.org), identity.Staff{Org: h.org, Roles: []identity.Role{identity.Role(role)}, Name: phi.NewText(name),
		TimeZone: "America/New_York", PractitionerEHR: "sandbox", Practitioner: phi.NewText("Practitioner/" + role + name[len(name)-3:]), Active: true}))(h.t)
	who := audit.Actor{Org: h.org, Kind: audit.Staff, ID: id, Roles: []string{role}, IP: netip.MustParseAddr("192.0.2.7"), RequestID: "hire"}
	cookie, p, err := h.sessions.Begin(ctx, who, identity.Session{Kind: audit.Staff, Staff: id, Roles: []identity.Role{identity.Role(role)}, Connection: "north"})
	h.check(err)
	return person{actor: who, cookie: cookie, csrf: p.CSRF}
}

// admit makes the patient whom the chart knows as ref.
func (h *hospital) admit(ref string) uuid.UUID {
	h.t.Helper()
	born := must(phi.ParseDate("1992-03-12"))(h.t)
	return must(h.SavePatient(h.t.Context(), audit.SystemActor(h.org), scheduling.Patient{EHR: "sandbox", Reference: phi.NewText(ref), Name: phi.NewText("Ana Ruiz"),
		BirthDate: born, Details: phi.NewText(`{"mrn":"100004417","pronoun":"she/her"}`), Language: "es"}))(h.t)
}

func (h *hospital) booked(p person, patient uuid.UUID, after time.Duration) scheduling.VisitView {
	h.t.Helper()
	start := monday().Add(after)
	return must(h.Book(h.t.Context(), h.scheduler.actor, scheduling.Booking{Clinician: p.actor.ID, Patient: patient, StartsAt: start, EndsAt: start.Add(20 * time.Minute),
		VisitType: "follow-up", Reason: phi.NewText("Cough <script>alert(1)</script>")}))(h.t)
}

func (h *hospital) get(p person, path string) *httptest.ResponseRecorder {
	return h.send(p, http.MethodGet, path, nil)
}

func (h *hospital) post(p person, path string, form url.Values) *httptest.ResponseRecorder {
	if form == nil {
		form = url.Values{}
	}
	form.Set("csrf", p.csrf)
	return h.send(p, http.MethodPost, path, form)
}

func (h *hospital) send(p person, method, path string, form url.Values) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.RemoteAddr = "203.0.113.77:40000"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if p.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-televisit", Value: p.cookie})
	}
	w := httptest.NewRecorder()
	h.engine.ServeHTTP(w, r)
	return w
}

// events are the trail's rows of an action, newest first.
func (h *hospital) events(action string) []audit.Row {
	h.t.Helper()
	return must(h.db.Search(h.t.Context(), audit.SystemActor(h.org), audit.Filter{Action: action}))(h.t)
}

func (h *hospital) expect(got *httptest.ResponseRecorder, status int, parts ...string) string {
	h.t.Helper()
	body := got.Body.String()
	if got.Code != status {
		h.t.Fatalf("status %d, want %d: %s", got.Code, status, body)
	}
	for _, part := range parts {
		if !strings.Contains(body, part) {
			h.t.Fatalf("the page lacks %q:\n%s", part, body)
		}
	}
	return body
}

// chart is a FHIR server over TLS with two patients.
type chart struct {
	client *ehr.Client
	down   bool
	asked  []string
}

func openChart(t *testing.T) *chart {
	c := &chart{}
	server := httptest.NewTLSServer(c)
	t.Cleanup(server.Close)
	c.client = must(ehr.New(ehr.Config{Base: server.URL + "/fhir", HTTP: server.Client(), Token: func(context.Context) (string, error) { return "token", nil },
		Now: time.Now, Log: slog.New(slog.DiscardHandler)}))(t)
	return c
}

func (c *chart) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ana := map[string]any{"resourceType": "Patient", "id": "ana", "meta": map[string]any{"versionId": "1"}, "gender": "female", "birthDate": "1992-03-12",
		"name":       []any{map[string]any{"family": "Ruiz", "given": []string{"Ana"}}},
		"identifier": []any{map[string]any{"type": map[string]any{"coding": []any{map[string]any{"code": "MR"}}}, "value": "100004417"}}}
	w.Header().Set("Content-Type", "application/fhir+json")
	var body any
	switch path := strings.TrimPrefix(r.URL.Path, "/fhir/"); {
	case c.down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case path == "Patient/ana":
		body = ana
	case path == "Patient" || path == "Patient/_search":
		_ = r.ParseForm()
		c.asked = append(c.asked, r.Form.Encode())
		bundle := map[string]any{"resourceType": "Bundle", "type": "searchset"}
		if r.Form.Get("family") == "Ruiz" || r.Form.Get("identifier") == "100004417" {
			bundle["entry"] = []any{map[string]any{"resource": ana}}
		}
		body = bundle
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(body)
}

// noFlows stands where an identity provider would: package identity/sso has its own tests, and the whole way is
// walked with the sandbox in the end-to-end tests.
type noFlows struct{ web.SignInFlows }

func (noFlows) LogoutURL(context.Context, string, string) string { return "" }

type noPlaybacks struct{}

func (noPlaybacks) Open(context.Context, uuid.UUID) (*recorder.Playback, error) {
	return nil, recorder.ErrNoFile
}

type noSeals struct{}

func (noSeals) Seal(context.Context, uuid.UUID, int64) (web.SealState, error) {
	return web.SealState{}, nil
}
func (noSeals) LastVerification(uuid.UUID) web.Verification { return web.Verification{} }

type hops struct{}

func (hops) Hops(context.Context) ([]web.HopView, error) {
	return []web.HopView{{Name: "SMS", Kind: "sms", Operator: "Texter", PHI: true, Encryption: "TLS 1.3", State: "missing"}}, nil
}
