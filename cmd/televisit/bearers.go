package main

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/sso"
)

// APIClient is another system that may use the FHIR API with tokens of an EHR's authorization server.
type APIClient struct {
	EHR      string `yaml:"ehr"`
	ClientID string `yaml:"client_id"`
}

// bearers knows whose access token a request carries: the authorization server of a configured EHR vouches for it, and
// the client is one that the organisation names (fhirapi.Verifier).
type bearers struct {
	sso     *sso.SSO
	clients map[APIClient]uuid.UUID // the organisation
}

var errUnknownClient = errors.New("no organisation names this client")

func (s *server) bearers() *bearers {
	b := &bearers{sso: s.sso, clients: map[APIClient]uuid.UUID{}}
	for _, o := range s.config.Organisations {
		for _, c := range o.APIClients {
			b.clients[c] = o.ID
		}
	}
	return b
}

// Verify implements fhirapi.Verifier.
func (b *bearers) Verify(ctx context.Context, token string) (identity.Principal, []string, error) {
	asked := map[string]bool{}
	for c := range b.clients {
		if asked[c.EHR] {
			continue
		}
		asked[c.EHR] = true
		proof, err := b.sso.Introspect(ctx, c.EHR, token)
		if errors.Is(err, sso.ErrBearer) {
			continue
		}
		if err != nil {
			return identity.Principal{}, nil, err
		}
		org, named := b.clients[APIClient{EHR: c.EHR, ClientID: proof.ClientID}]
		if !named {
			return identity.Principal{}, nil, errUnknownClient
		}
		return identity.Principal{Org: org, Kind: audit.Client, Participant: clientActor(org, proof.ClientID), Roles: []identity.Role{identity.Client},
			Scopes: proof.Scopes, Connection: c.EHR}, proof.Scopes, nil
	}
	return identity.Principal{}, nil, sso.ErrBearer
}

// clientActor is the id by which the trail names a client: the same for the same client, always.
func clientActor(org uuid.UUID, clientID string) uuid.UUID {
	return uuid.NewSHA1(org, []byte("api-client:"+clientID))
}
