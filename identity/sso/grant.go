package sso

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
)

const (
	// renewBefore is how long before its end a token is replaced, so that no request is under way with a dead one.
	renewBefore    = 30 * time.Second
	refreshTimeout = 30 * time.Second
)

// Grant is what an EHR granted with a launch.
type Grant struct {
	EHR       string
	Access    phi.Text
	Refresh   phi.Text // empty: the grant ends with the access token
	Scopes    []string // as granted, which may be less than asked for
	ExpiresAt time.Time
}

// storedGrant is the sealed form.
type storedGrant struct {
	Access  string   `json:"access"`
	Refresh string   `json:"refresh,omitempty"`
	Scopes  []string `json:"scopes"`
}

func (g Grant) seal(sealer phi.Sealer, id uuid.UUID) ([]byte, error) {
	encoded, err := json.Marshal(storedGrant{Access: g.Access.Reveal(), Refresh: g.Refresh.Reveal(), Scopes: g.Scopes})
	if err != nil {
		return nil, fmt.Errorf("sso: encode a grant: %w", err)
	}
	return phi.SealText(sealer, phi.NewText(string(encoded)), grantRow(id))
}

func openGrant(sealer phi.Sealer, id uuid.UUID, sealed []byte) (Grant, error) {
	text, err := phi.OpenText(sealer, sealed, grantRow(id))
	if err != nil {
		return Grant{}, err
	}
	var g storedGrant
	if err := json.Unmarshal([]byte(text.Reveal()), &g); err != nil {
		return Grant{}, errors.New("sso: a stored grant cannot be read")
	}
	return Grant{Access: phi.NewText(g.Access), Refresh: phi.NewText(g.Refresh), Scopes: g.Scopes}, nil
}

// SaveGrant keeps a launch's tokens for a member of staff; visit may be zero.
func (s *SSO) SaveGrant(ctx context.Context, who audit.Actor, staff, visit uuid.UUID, g *Grant) (uuid.UUID, error) {
	if g == nil {
		return uuid.Nil, errors.New("sso: there is no grant to save")
	}
	sealer, err := s.keyring.Sealer(ctx, who.Org)
	if err != nil {
		return uuid.Nil, err
	}
	id := uuid.New()
	sealed, err := g.seal(sealer, id)
	if err != nil {
		return uuid.Nil, err
	}
	event := audit.Event{Action: "grant.saved", Visit: visit, ObjectKind: "grant", ObjectID: id.String(), Detail: map[string]any{"ehr": g.EHR}}
	err = s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, `insert into ehr_grant (id, org_id, ehr, staff_id, visit_id, tokens_sealed, expires_at, created_at, updated_at)
			values ($1, $2, $3, $4, nullif($5, $8::uuid), $6, $7, $9, $9)`, id, who.Org, g.EHR, staff, visit, sealed, g.ExpiresAt, uuid.Nil, tx.Now)
		return err
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("sso: save a grant: %w", err)
	}
	return id, nil
}

// GrantToken gives an access token of a launch, refreshed if it must be. It fails with ErrGrantOver when the EHR has
// ended the grant, or when it cannot be refreshed any more.
func (s *SSO) GrantToken(ctx context.Context, org, id uuid.UUID) (string, time.Time, error) {
	g, err := s.readGrant(ctx, org, id)
	if err != nil {
		return "", time.Time{}, err
	}
	if s.now().Add(renewBefore).Before(g.ExpiresAt) {
		return g.Access.Reveal(), g.ExpiresAt, nil
	}
	return s.refreshGrant(ctx, org, id)
}

// Grant reads a launch's grant: which scopes it has, until when.
func (s *SSO) Grant(ctx context.Context, org, id uuid.UUID) (Grant, error) {
	return s.readGrant(ctx, org, id)
}

func (s *SSO) readGrant(ctx context.Context, org, id uuid.UUID) (Grant, error) {
	var g Grant
	err := s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) (err error) {
		g, err = s.selectGrant(ctx, tx, org, id, "")
		return err
	})
	return g, err
}

func (s *SSO) selectGrant(ctx context.Context, tx pgx.Tx, org, id uuid.UUID, lock string) (Grant, error) {
	sealer, err := s.keyring.Sealer(ctx, org)
	if err != nil {
		return Grant{}, err
	}
	var ehr string
	var sealed []byte
	var expires time.Time
	var revoked *time.Time
	err = tx.QueryRow(ctx, `select ehr, tokens_sealed, expires_at, revoked_at from ehr_grant where id = $1 `+lock, id).
		Scan(&ehr, &sealed, &expires, &revoked)
	if errors.Is(err, pgx.ErrNoRows) || revoked != nil {
		return Grant{}, ErrGrantOver
	}
	if err != nil {
		return Grant{}, fmt.Errorf("sso: read a grant: %w", err)
	}
	g, err := openGrant(sealer, id, sealed)
	g.EHR, g.ExpiresAt = ehr, expires
	return g, err
}

// refreshGrant holds the grant's row while it asks the EHR: a refresh token that rotates must be used once, and the
// others who wait for it take its result.
func (s *SSO) refreshGrant(ctx context.Context, org, id uuid.UUID) (string, time.Time, error) {
	// Once asked, the EHR may have rotated the token: its answer is kept even if the one who asked has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	var g Grant
	over := false
	event := audit.Event{Action: "grant.refreshed", ObjectKind: "grant", ObjectID: id.String()}
	err := s.db.Do(ctx, audit.SystemActor(org), event, func(ctx context.Context, tx *audit.Tx) (err error) {
		if g, err = s.selectGrant(ctx, tx, org, id, "for update"); err != nil {
			return err
		}
		tx.Event.Detail = map[string]any{"ehr": g.EHR}
		if s.now().Add(renewBefore).Before(g.ExpiresAt) {
			return errFresh
		}
		renewed, err := s.renew(ctx, g)
		var failed *Failed
		if errors.Is(err, ErrGrantOver) || errors.As(err, &failed) && failed.code == "invalid-grant" {
			over = true
			tx.Event.Action, tx.Event.Outcome = "grant.revoked", audit.Failure
			_, err = tx.Exec(ctx, `update ehr_grant set revoked_at = $2, updated_at = $2 where id = $1`, id, tx.Now)
			return err
		}
		if err != nil {
			return err
		}
		g = renewed
		return s.storeRenewed(ctx, tx, org, id, g)
	})
	switch {
	case err != nil && !errors.Is(err, errFresh):
		return "", time.Time{}, err
	case over:
		return "", time.Time{}, ErrGrantOver
	}
	return g.Access.Reveal(), g.ExpiresAt, nil
}

// errFresh ends the transaction of a refresh that another one has made unnecessary.
var errFresh = errors.New("sso: the grant was refreshed meanwhile")

func (s *SSO) storeRenewed(ctx context.Context, tx *audit.Tx, org, id uuid.UUID, g Grant) error {
	sealer, err := s.keyring.Sealer(ctx, org)
	if err != nil {
		return err
	}
	sealed, err := g.seal(sealer, id)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update ehr_grant set tokens_sealed = $2, expires_at = $3, updated_at = $4 where id = $1`, id, sealed, g.ExpiresAt, tx.Now)
	return err
}

func (s *SSO) renew(ctx context.Context, g Grant) (Grant, error) {
	p := s.byName(g.EHR, true)
	if p == nil || g.Refresh.IsZero() {
		return Grant{}, ErrGrantOver
	}
	m, err := p.discover(ctx)
	if err != nil {
		return Grant{}, err
	}
	answer, err := s.requestToken(ctx, p, m, p.clientID, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.Refresh.Reveal()}})
	if err != nil {
		return Grant{}, err
	}
	renewed := *answer.grant(g.EHR, g.Scopes, s.now().UTC())
	if renewed.Refresh.IsZero() {
		renewed.Refresh = g.Refresh // not rotated (RFC 6749 section 6)
	}
	return renewed, nil
}

// BackendToken gives a token of the server itself at an EHR (SMART Backend Services), from memory while it is good.
// Callers that need one at the same moment share one request.
func (s *SSO) BackendToken(ctx context.Context, ehr string) (string, time.Time, error) {
	p := s.byName(ehr, true)
	if p == nil {
		return "", time.Time{}, fail("bad-metadata", errors.New("no such EHR is configured"))
	}
	select {
	case p.backend.turn <- struct{}{}:
		defer func() { <-p.backend.turn }()
	case <-ctx.Done():
		return "", time.Time{}, ctx.Err()
	}
	if s.now().Add(renewBefore).Before(p.backend.expires) {
		return p.backend.token.Reveal(), p.backend.expires, nil
	}
	m, err := p.discover(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	answer, err := s.requestToken(ctx, p, m, p.backendClientID, url.Values{"grant_type": {"client_credentials"},
		"scope": {strings.Join(scopesFor(p.backendScopes, m), " ")}})
	if err != nil {
		return "", time.Time{}, err
	}
	p.backend.token, p.backend.expires = phi.NewText(answer.AccessToken), answer.expires(s.now().UTC())
	return answer.AccessToken, p.backend.expires, nil
}

// ForgetBackendToken drops the kept token, after the EHR refused it.
func (s *SSO) ForgetBackendToken(ehr string) {
	if p := s.byName(ehr, true); p != nil {
		p.backend.turn <- struct{}{}
		p.backend.expires = time.Time{}
		<-p.backend.turn
	}
}

// backendToken is guarded by turn, a lock that gives up when its waiter's context ends.
type backendToken struct {
	turn    chan struct{}
	token   phi.Text
	expires time.Time
}

func grantRow(id uuid.UUID) phi.Row {
	return phi.Row{Table: "ehr_grant", Column: "tokens", ID: id}
}
