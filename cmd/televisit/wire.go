package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/deliver"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/media/recorder"
	"github.com/televisit/televisit/media/turn"
	"github.com/televisit/televisit/migrations"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
)

const appRole = migrations.AppRole

// parts are the rooms of the house, made once.
type parts struct {
	http     *http.Client
	store    objectStore
	keys     *keys.Keys
	db       *audit.DB
	sealer   *audit.Sealer
	seals    *seals
	keyring  *identity.Keyring
	people   *identity.People
	sessions *identity.Sessions
	sso      *sso.SSO
	links    *join.Links
	tokens   *join.Tokens
	jobs     *job.Client
	visits   *scheduling.Service
	notes    *note.Service
	calls    *calls
	tapes    *tapes
	node     *media.Node
	turn     *turn.Server
	charts   *charts
	doors
}

// assemble makes the parts from the ground up.
func (s *server) assemble(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.makeGround, s.makeIdentity, s.makeScheduling, s.makeMedia, s.makeRecord, s.makeDoors,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// makeGround opens keys, store, database and the sealed trail.
func (s *server) makeGround(ctx context.Context) (err error) {
	if s.http, err = trustingClient(s.config.TrustCA); err != nil {
		return err
	}
	keyDir := filepath.Join(s.config.Data, "keys")
	if err := os.MkdirAll(keyDir, 0o700); err != nil {
		return fmt.Errorf("make the key folder: %w", err)
	}
	c := s.config.Keys
	if s.keys, err = keys.Open(ctx, keys.Config{File: c.File, KMSKeyARN: c.KMSKey, KMSEndpoint: c.Endpoint, Region: c.Region}); err != nil {
		return err
	}
	if s.store, err = openStore(ctx, s.config.Store); err != nil {
		return fmt.Errorf("open the object store: %w", err)
	}
	if s.db, err = audit.Open(ctx, s.config.DatabaseURL, time.Now, s.log); err != nil {
		return err
	}
	s.later(s.db.Close)
	return s.makeTrail(keyDir)
}

func (s *server) makeTrail(keyDir string) error {
	signing, err := auditSigningKey(keyDir)
	if err != nil {
		return err
	}
	public, err := os.ReadFile(filepath.Join(keyDir, auditPublicFile))
	if err != nil {
		return fmt.Errorf("read the audit verification key: %w", err)
	}
	if s.sealer, err = audit.NewSealer(s.db, signing, archive{s.store}, sealEvery, s.log); err != nil {
		return err
	}
	s.seals = newSeals(s.db, string(public), archive{s.store}, s.orgs(), s.log)
	return nil
}

func (s *server) orgs() []uuid.UUID {
	var ids []uuid.UUID
	for _, o := range s.config.Organisations {
		ids = append(ids, o.ID)
	}
	return ids
}

func (s *server) makeIdentity(ctx context.Context) (err error) {
	s.keyring = identity.NewKeyring(s.db, s.keys)
	for _, o := range s.config.Organisations {
		_, err := s.keyring.Organisation(ctx, o.ID)
		if errors.Is(err, identity.ErrNoOrganisation) {
			err = s.keyring.CreateOrganisation(ctx, o.ID, o.Name, o.TimeZone)
		}
		if err != nil {
			return fmt.Errorf("organisation %s: %s", o.ID, audit.Safe(err))
		}
	}
	s.people = identity.NewPeople(s.db, s.keyring)
	s.sessions = identity.NewSessions(s.db, identity.SessionLimits{StaffIdle: s.config.Session.Idle, StaffAbsolute: s.config.Session.Absolute}, time.Now)
	s.links = join.NewLinks(s.db, s.keyring, s.sessions, s.config.Origin, time.Now)
	// Room tokens live for minutes: their key is made at each start and kept nowhere.
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	if s.tokens, err = join.NewTokens(s.db, time.Now, join.SigningKey{ID: uuid.NewString(), Secret: secret}); err != nil {
		return err
	}
	return s.makeSSO()
}

func (s *server) makeSSO() error {
	signing, err := sso.LoadSigningKeys(filepath.Join(s.config.Data, "keys", "client-keys.json"))
	if err != nil {
		return err
	}
	c := sso.Config{Origin: s.config.Origin, Home: s.config.Organisations[0].ID, Keys: signing, HTTP: s.http}
	for _, o := range s.config.Organisations {
		for _, e := range o.EHRs {
			c.EHRs = append(c.EHRs, sso.EHR{Name: e.Name, Org: o.ID, Iss: e.Iss, ClientID: e.ClientID,
				Scopes: strings.Fields(e.Scopes), BackendClientID: e.SystemClientID, BackendScopes: strings.Fields(e.SystemScopes)})
		}
		for _, p := range o.SSO {
			c.SSO = append(c.SSO, sso.Provider{Name: p.Name, Org: o.ID, Issuer: p.Issuer, ClientID: p.ClientID, RolesClaim: p.RolesClaim})
		}
	}
	s.sso, err = sso.New(c, sso.Deps{DB: s.db, Keyring: s.keyring, Now: time.Now, Log: s.log})
	return err
}

func (s *server) makeScheduling(ctx context.Context) (err error) {
	s.jobs, err = job.Open(ctx, job.Config{URL: s.config.DatabaseURL, Now: time.Now, Log: s.log})
	if err != nil {
		return fmt.Errorf("open the job queue: %w", err)
	}
	s.later(s.jobs.Close)
	s.calls = newCalls(s.log)
	s.visits = scheduling.New(scheduling.Config{DB: s.db, Sealers: s.keyring, Jobs: s.jobs, Keys: s.keys, Watcher: s.calls, Now: time.Now})
	s.calls.visits = s.visits
	return nil
}

func (s *server) makeMedia(context.Context) (err error) {
	s.tapes = newTapes(s.visits, s.keys, s.log)
	s.tapes.recorder, err = recorder.New(recorder.Config{Spool: filepath.Join(s.config.Data, "spool"), Store: s.store, Keys: s.tapes,
		Facts: s.tapes, Now: time.Now, Log: s.log})
	if err != nil {
		return fmt.Errorf("open the recorder: %w", err)
	}
	s.later(func() { _ = s.tapes.recorder.Close() })
	announce, err := addresses(s.config.Media.Announce)
	if err != nil {
		return err
	}
	m := s.config.Media
	s.node, err = media.NewNode(media.Config{UDPAddr: m.UDP, TCPAddr: m.TCP, AnnounceIPs: announce, IncludeLoopback: m.Loopback,
		MuteAfter: m.Mute, Grace: m.Grace, Now: time.Now, Log: s.log}, s.calls)
	if err != nil {
		return fmt.Errorf("open the media ports: %w", err)
	}
	s.calls.node, s.calls.tapes = s.node, s.tapes
	go s.calls.run()
	s.later(func() {
		s.node.Close()
		s.calls.close()
	})
	return s.makeRelay(announce)
}

// makeRelay opens TURN. It relays to the media node and to nobody else.
func (s *server) makeRelay(announce []netip.Addr) error {
	t := s.config.TURN
	if t.UDP == "" && t.TCP == "" && t.TLS == "" {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(s.config.TLS.Cert, s.config.TLS.Key)
	if err != nil {
		return fmt.Errorf("load the certificate: %w", err)
	}
	relay, err := netip.ParseAddr(t.Relay)
	if err != nil {
		return fmt.Errorf("turn.relay_ip is not an address: %w", err)
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	own := map[netip.Addr]bool{}
	for _, a := range append([]netip.Addr{s.node.UDPAddr().Addr()}, announce...) {
		own[a.Unmap()] = true
	}
	port := s.node.UDPAddr().Port()
	s.turn, err = turn.New(turn.Config{
		UDPAddr: t.UDP, TCPAddr: t.TCP, TLSAddr: t.TLS, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		RelayIP: relay, Secret: secret, Realm: "televisit", Now: time.Now, Log: s.log,
		AllowedPeers: func(peer netip.AddrPort) bool {
			return own[peer.Addr().Unmap()] && (peer.Port() == 0 || peer.Port() == port)
		},
	})
	if err != nil {
		return fmt.Errorf("open TURN: %w", err)
	}
	s.later(func() { _ = s.turn.Close() })
	return nil
}

// makeRecord makes what writes notes and brings them to the EHR.
func (s *server) makeRecord(context.Context) error {
	key, err := noteSigningKey(filepath.Join(s.config.Data, "keys"))
	if err != nil {
		return err
	}
	recordingURL := func(id uuid.UUID) string { return s.config.Origin + "/recordings/" + id.String() }
	s.notes = note.New(note.Config{DB: s.db, Sealers: s.keyring, Visits: s.visits, RecordingURL: recordingURL,
		SigningKey: func(context.Context, uuid.UUID) (note.SigningKey, error) {
			return note.SigningKey{ID: "note-1", Key: key}, nil
		}})
	if s.charts, err = newCharts(s.config, s.http, s.sso, s.log); err != nil {
		return err
	}
	worker := deliver.New(deliver.Config{Visits: s.visits, Notes: s.notes, Sealers: s.keyring, RecordingURL: recordingURL, Now: time.Now, Log: s.log,
		Charts: &deliver.EHRs{Connections: s.connections(), HTTP: s.http, Tokens: s.sso, DB: s.db, Now: time.Now, Log: s.log}})
	s.jobs.Handle(job.Deliver, worker.Work)
	s.jobs.Handle(job.FinalizeRecording, s.tapes.finalize)
	return nil
}

func (s *server) connections() map[string]deliver.Connection {
	found := map[string]deliver.Connection{}
	for _, o := range s.config.Organisations {
		for _, e := range o.EHRs {
			found[e.Name] = deliver.Connection{Base: e.Iss, Vendor: e.Profile, Profile: deliver.VendorProfile(e.Profile)}
		}
	}
	return found
}

// trustingClient trusts the system's authorities and those in caFile.
func trustingClient(caFile string) (*http.Client, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read trust_ca: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("trust_ca holds no certificate")
		}
	}
	return &http.Client{Timeout: 45 * time.Second, Transport: &http.Transport{
		DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}}, nil
}

func addresses(texts []string) ([]netip.Addr, error) {
	var found []netip.Addr
	for _, text := range texts {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("media.announce: %q is not an address", text)
		}
		found = append(found, a)
	}
	return found, nil
}
