package main

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/api/fhirapi"
	"github.com/televisit/televisit/api/rtc"
	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/scheduling"
)

// doors are what people and programs reach.
type doors struct {
	engine  *api.Engine
	metrics *api.Metrics
	rtc     *rtc.Server
	events  *web.Events
}

const turnCredentialTTL = 10 * time.Minute

func (s *server) makeDoors(context.Context) (err error) {
	if err := s.makeMetrics(); err != nil {
		return err
	}
	s.rtc, err = rtc.NewServer(rtc.Config{Origins: []string{s.config.Origin}, Node: s.node, Access: roomAccess{s.tokens, s.visits},
		ICE: s.iceServers, Entering: s.calls.Entering, Now: time.Now, Log: s.log})
	if err != nil {
		return err
	}
	s.later(s.rtc.Close)
	s.events = web.NewEvents(s.db)
	s.later(s.events.Close)
	desk := &web.Desk{Staff: s.people, Organisations: s.keyring, Log: s.log}
	site, err := web.NewSite(desk.Frame, s.log)
	if err != nil {
		return err
	}
	s.engine, err = api.New(api.Deps{Origin: s.config.Origin, EHROrigins: s.origins(true), SignOutOrigins: s.origins(false), Sessions: s.sessions,
		Trail: s.db, Pages: site, Metrics: s.metrics, Now: time.Now, Log: s.log}, s.registrars(site)...)
	return err
}

func (s *server) registrars(site *web.Site) []api.Registrar {
	now := time.Now
	front := &web.FrontPages{Site: site, Origin: s.config.Origin, Flows: s.sso, People: s.people, Sessions: s.sessions,
		Launches: &web.LaunchDesk{Site: site, Visits: s.visits, Charts: s.charts, Now: now}}
	for _, o := range s.config.Organisations {
		for _, p := range o.SSO {
			front.Providers = append(front.Providers, web.SignInProvider{Name: p.Name, Organisation: o.Name})
		}
		for _, e := range o.EHRs {
			front.EHRs = append(front.EHRs, e.Name)
		}
	}
	return []api.Registrar{
		front,
		&api.Health{Checks: []api.Check{{Name: "database", Probe: s.db.Ping}}, Draining: s.draining.Load},
		front.Launches,
		&web.WorklistPages{Site: site, Visits: s.visits, Staff: s.people, Now: now},
		&web.SchedulePages{Site: site, Visits: s.visits, Staff: s.people, Charts: s.charts, Links: s.links, EHRs: s.ehrNames, Types: web.UsualTypes(), Now: now},
		&web.RecordingPages{Site: site, Visits: s.visits, Playbacks: s.tapes.recorder, Now: now},
		&web.AuditPages{Site: site, Trail: s.db, Seals: s.seals, Staff: s.people, Origin: s.config.Origin},
		&web.BoundaryPages{Site: site, Boundary: hops{s.config}, Version: version(), Now: now},
		&web.AdminPages{Site: site, Calls: s.visits, Staff: s.people, Now: now},
		&web.VisitPages{Site: site, Visits: s.visits, Notes: s.notes, Guests: s.links, Tokens: s.tokens, ICE: s.iceServers, Chart: s.charts, Trail: s.db, Now: now,
			Proof: web.Proof{Within: s.config.Session.SignWithin, Again: s.config.hasProvider}},
		&web.VisitorPages{Site: site, Visits: s.visits, Tokens: s.tokens, ICE: s.iceServers, Trail: s.db, Now: now},
		&web.LinkPages{Site: site, Links: s.links},
		s.events,
		signalling{s.rtc},
		fhirapi.New(fhirapi.Config{Origin: s.config.Origin, Version: version(), Built: built(), Verifier: s.bearers(), Sessions: s.sessions,
			Visits: s.visits, Staff: s.people, Directory: s.directory(), DB: s.db, Sealers: s.keyring}),
	}
}

func (s *server) ehrNames(org uuid.UUID) []string {
	var names []string
	for _, o := range s.config.Organisations {
		if o.ID != org {
			continue
		}
		for _, e := range o.EHRs {
			names = append(names, e.Name)
		}
	}
	return names
}

// origins lists the origins of the EHRs, or of the identity providers.
func (s *server) origins(ehrs bool) []string {
	var found []string
	for _, o := range s.config.Organisations {
		for _, e := range o.EHRs {
			if ehrs {
				found = append(found, originOf(e.Iss))
			}
		}
		for _, p := range o.SSO {
			if !ehrs {
				found = append(found, originOf(p.Issuer))
			}
		}
	}
	return found
}

func (s *server) iceServers(participant uuid.UUID) []media.ICEServer {
	if s.turn == nil {
		return nil
	}
	username, password := s.turn.Credentials(participant, turnCredentialTTL)
	return []media.ICEServer{{URLs: s.turn.URLs(s.config.TURN.Host), Username: username, Credential: password}}
}

// roomAccess checks room tokens against identity, and asks scheduling how the visit's media may travel.
type roomAccess struct {
	tokens *join.Tokens
	visits *scheduling.Service
}

// Redeem implements rtc.Access.
func (a roomAccess) Redeem(ctx context.Context, from identity.Caller, token string) (rtc.Grant, error) {
	claims, err := a.tokens.Redeem(ctx, from, token)
	var refused *join.TokenRefused
	if errors.As(err, &refused) {
		return rtc.Grant{}, &rtc.Refusal{Code: refused.Code(), Text: refused.Safe()}
	}
	if err != nil {
		return rtc.Grant{}, err
	}
	_, id, err := a.visits.VisitOfRoom(ctx, claims.Room)
	if err != nil {
		return rtc.Grant{}, err
	}
	v, err := a.visits.ForWork(ctx, claims.Org, id)
	if err != nil {
		return rtc.Grant{}, err
	}
	return rtc.Grant{Org: claims.Org, Room: claims.Room, Participant: claims.Participant, Role: claims.Role, Host: claims.Host,
		RelayOnly: v.MediaPolicy == scheduling.PolicyRelayOnly}, nil
}

// Renew implements rtc.Access.
func (a roomAccess) Renew(_ context.Context, g rtc.Grant) (string, time.Time, error) {
	return a.tokens.Issue(join.Claims{Org: g.Org, Room: g.Room, Participant: g.Participant, Role: g.Role, Host: g.Host})
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

// built is when the source was committed, or now for a build that does not know.
func built() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.time" {
				if t, err := time.Parse(time.RFC3339, setting.Value); err == nil {
					return t
				}
			}
		}
	}
	return time.Now()
}

// signalling is the route of the signalling sockets.
type signalling struct{ server *rtc.Server }

// Register implements api.Registrar. Whoever connects proves themselves by the room token in the first message.
func (g signalling) Register(r api.Routes) {
	r.HandleRoute(api.Route{Method: http.MethodGet, Path: "/rtc", Action: api.Public, Answers: api.JSON, Stream: true,
		Limit: &api.Limit{Name: "rtc", Every: 100 * time.Millisecond, Burst: 200}}, g.server.Serve)
}
