package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox/accounts"
	"github.com/televisit/televisit/cmd/dev/sandbox/chart"
	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/cmd/dev/sandbox/fhirserver"
	"github.com/televisit/televisit/cmd/dev/sandbox/oauth"
	"github.com/televisit/televisit/cmd/dev/sandbox/reqlog"
	"github.com/televisit/televisit/cmd/dev/sandbox/seed"
	"github.com/televisit/televisit/cmd/dev/sandbox/smart"
	"github.com/televisit/televisit/cmd/dev/sandbox/staffidp"
)

// Server is a running sandbox; whoever made it serves its Handler over TLS at its origin.
type Server struct {
	config     Config
	store      *fhirserver.Store
	users      *accounts.Users
	faults     *faults.Set
	log        *reqlog.Log
	smart      *smart.Server
	staff      *oauth.Server
	http       *http.Client
	handler    http.Handler
	adminToken string

	dayMu sync.Mutex
	day   string
}

const keptRequests = 2000

// New opens the data folder, writes the synthetic data where it is missing and makes the servers.
func New(c Config) (*Server, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	s := &Server{config: c, faults: faults.New(), log: reqlog.New(c.Now, keptRequests), adminToken: rand.Text()}
	var err error
	if s.http, err = c.httpClient(); err != nil {
		return nil, err
	}
	if s.users, err = accounts.OpenUsers(c.Data, seed.Staff()); err != nil {
		return nil, err
	}
	if s.store, err = fhirserver.OpenStore(filepath.Join(c.Data, "fhir.journal"), c.Now); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

func (s *Server) start() error {
	err := s.store.Seeding(func() error {
		return errors.Join(seed.Load(s.store), seed.LoadDay(s.store, s.config.Now()))
	})
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(seed.Zone)
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	c := s.config
	sessions := accounts.NewSessions(c.Now)
	s.smart, err = smart.New(smart.Config{Origin: c.Origin, FHIRBase: s.fhirBase(), DataDir: c.Data, LoginPage: "/login", PatientPage: "/choose-patient",
		Clients: smartClients(c.Clients), Users: s.users, Sessions: sessions, EncounterOf: s.encounterOf, HTTP: s.http, Now: c.Now, Log: c.Log})
	if err != nil {
		return err
	}
	s.staff, err = staffidp.New(staffidp.Config{Origin: c.Origin, FHIRBase: s.fhirBase(), DataDir: c.Data, LoginPage: "/login",
		Clients: staffClients(c.StaffClients), Users: s.users, Sessions: sessions, HTTP: s.http, Now: c.Now, Log: c.Log})
	if err != nil {
		return err
	}
	ui, err := chart.New(chart.Config{FHIRBase: s.fhirBase(), Store: s.store, Users: s.users, Sessions: sessions, Faults: s.faults, SMART: s.smart,
		Apps: apps(c.Clients), Origins: c.origins(), Zone: zone, OpenDay: func() { s.openDay(zone) }, Now: c.Now, Log: c.Log})
	if err != nil {
		return err
	}
	fhir := fhirserver.New(fhirserver.Config{Base: s.fhirBase(), Store: s.store, Authorizer: s.smart, Faults: s.faults, Now: c.Now, Log: c.Log})
	s.handler = s.log.Middleware(template, s.routes(fhir, ui))
	return nil
}

func (s *Server) fhirBase() string { return s.config.Origin + "/fhir" }

func (s *Server) routes(fhir, ui http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fhir/.well-known/smart-configuration", s.smartConfiguration)
	mux.Handle("/fhir/", http.StripPrefix("/fhir", fhir))
	mux.Handle("/auth/", http.StripPrefix("/auth", s.smart))
	mux.Handle("/staff/", http.StripPrefix("/staff", s.staff))
	mux.Handle("GET /auth/signed-out", ui)
	mux.Handle("GET /staff/signed-out", ui)
	mux.Handle("/sandbox/", s.admin())
	mux.Handle("/", ui)
	return mux
}

// smartConfiguration is JSON whatever Accept says, and open to every origin.
func (s *Server) smartConfiguration(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cache-Control", "public, max-age=300")
	answer(w, http.StatusOK, s.smart.Configuration())
}

func answer(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "{}", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// encounterOf finds the encounter of an appointment for the launch context.
func (s *Server) encounterOf(appointment string) string {
	found, err := s.store.Query("Encounter", map[string][]string{"appointment": {"Appointment/" + appointment}})
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0].ID
}

// openDay writes the visits of a new day when the sandbox runs past midnight.
func (s *Server) openDay(zone *time.Location) {
	s.dayMu.Lock()
	defer s.dayMu.Unlock()
	today := s.config.Now().In(zone).Format(time.DateOnly)
	if s.day == today {
		return
	}
	err := s.store.Seeding(func() error { return seed.LoadDay(s.store, s.config.Now()) })
	if err != nil {
		s.config.Log.Error("the visits of the day could not be written", "error", err)
		return
	}
	s.day = today
}

// template replaces what identifies somebody in a path.
func template(r *http.Request) string {
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, "/fhir"); ok {
		return "/fhir" + fhirserver.Template(rest)
	}
	parts := strings.Split(path, "/")
	if len(parts) > 2 {
		switch parts[1] {
		case "patients", "documents", "launch", "launch-patient", "visits":
			parts[2] = "{id}"
		}
	}
	return strings.Join(parts, "/")
}

// Handler answers every request of the origin.
func (s *Server) Handler() http.Handler { return s.handler }

// Close flushes and closes the data folder; the Handler must not be used any more.
func (s *Server) Close() error {
	s.http.CloseIdleConnections()
	return s.store.Close()
}

func smartClients(clients []Client) []smart.Client {
	var out []smart.Client
	for _, c := range clients {
		out = append(out, smart.Client{ID: c.ClientID, Name: c.Name, JWKSURI: c.JWKSURI, Keys: c.JWKS, LaunchURL: c.LaunchURL, RedirectURIs: c.RedirectURIs, Scopes: c.Scopes, Introspects: c.Introspects})
	}
	return out
}

func staffClients(clients []StaffClient) []staffidp.Client {
	var out []staffidp.Client
	for _, c := range clients {
		out = append(out, staffidp.Client{ID: c.ClientID, JWKSURI: c.JWKSURI, RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs})
	}
	return out
}

func apps(clients []Client) []chart.App {
	var out []chart.App
	for _, c := range clients {
		if c.LaunchURL == "" {
			continue
		}
		out = append(out, chart.App{ID: c.ClientID, Name: c.Name, LaunchURL: c.LaunchURL})
	}
	return out
}
