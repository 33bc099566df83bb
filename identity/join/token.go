package join

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

const (
	// TokenLifetime is how long a room token may wait to be used.
	TokenLifetime = 5 * time.Minute
	minSecret     = 32 // bytes: RFC 7518 section 3.2 for HS256
	maxToken      = 4096
	issuer        = "televisit"
	audience      = "televisit/room"
)

// SigningKey signs room tokens.
type SigningKey struct {
	ID     string // kid
	Secret []byte // at least 32 bytes
}

// Claims are what a room token grants.
type Claims struct {
	Org         uuid.UUID
	Room        uuid.UUID
	Participant uuid.UUID
	Role        string // clinician, patient or guest
	Host        bool   // may end the call for everybody
}

// Tokens issues and redeems room tokens.
type Tokens struct {
	db     *audit.DB
	now    func() time.Time
	signer jose.Signer
	keys   map[string][]byte
}

// NewTokens makes Tokens that sign with current and accept the older keys too, so that a key can be replaced while
// tokens are under way.
func NewTokens(db *audit.DB, now func() time.Time, current SigningKey, older ...SigningKey) (*Tokens, error) {
	t := &Tokens{db: db, now: now, keys: map[string][]byte{}}
	for _, k := range append([]SigningKey{current}, older...) {
		if k.ID == "" || len(k.Secret) < minSecret {
			return nil, fmt.Errorf("join: a signing key needs an id and at least %d bytes", minSecret)
		}
		if _, twice := t.keys[k.ID]; twice {
			return nil, errors.New("join: two signing keys have the same id")
		}
		t.keys[k.ID] = k.Secret
	}
	var err error
	t.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: current.Secret},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", current.ID))
	if err != nil {
		return nil, fmt.Errorf("join: signing key: %w", err)
	}
	return t, nil
}

// roomClaims is the body of a token; org is ours alone.
type roomClaims struct {
	jwt.Claims
	Org  uuid.UUID `json:"org"`
	Room uuid.UUID `json:"room"`
	Role string    `json:"role"`
	Host bool      `json:"host,omitempty"`
}

// Issue signs a token for one entry to the room, and tells when it expires.
func (t *Tokens) Issue(c Claims) (string, time.Time, error) {
	if c.Org == uuid.Nil || c.Room == uuid.Nil || c.Participant == uuid.Nil || c.Role == "" {
		return "", time.Time{}, errors.New("join: a room token needs organisation, room, participant and role")
	}
	now := t.now().UTC().Truncate(time.Second)
	expires := now.Add(TokenLifetime)
	token, err := jwt.Signed(t.signer).Claims(roomClaims{
		Claims: jwt.Claims{Issuer: issuer, Audience: jwt.Audience{audience}, Subject: c.Participant.String(), ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(expires)},
		Org: c.Org, Room: c.Room, Role: c.Role, Host: c.Host,
	}).Serialize()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("join: sign a room token: %w", err)
	}
	return token, expires, nil
}

// Redeem uses a token up. In one transaction it takes the token's id, once for ever, and makes sure that the participant
// still belongs to an open visit of that room. It fails with *TokenRefused; what a signed token asked for and did not
// get is in the trail.
func (t *Tokens) Redeem(ctx context.Context, from identity.Caller, token string) (Claims, error) {
	c, id, expires, err := t.parse(token)
	if err != nil {
		var refused *TokenRefused
		if errors.As(err, &refused) && refused.Reason == "expired" {
			err = errors.Join(err, t.record(ctx, from, c, refused.Reason))
		}
		return Claims{}, err
	}
	err = t.db.Housekeep(ctx, c.Org, func(ctx context.Context, tx pgx.Tx) error {
		if err := t.use(ctx, tx, c.Org, id, expires); err != nil {
			return err
		}
		return checkPlace(ctx, tx, c)
	})
	var refused *TokenRefused
	if errors.As(err, &refused) {
		return Claims{}, errors.Join(err, t.record(ctx, from, c, refused.Reason))
	}
	if err != nil {
		return Claims{}, fmt.Errorf("join: redeem a room token: %w", err)
	}
	return c, nil
}

func (t *Tokens) parse(token string) (Claims, uuid.UUID, time.Time, error) {
	malformed := func(err error) (Claims, uuid.UUID, time.Time, error) {
		return Claims{}, uuid.Nil, time.Time{}, &TokenRefused{Reason: "malformed", cause: err}
	}
	if len(token) > maxToken {
		return malformed(errors.New("too long"))
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return malformed(errors.New("not a signed token"))
	}
	key, ok := t.keys[parsed.Headers[0].KeyID]
	if !ok {
		return malformed(errors.New("unknown key"))
	}
	var body roomClaims
	if err := parsed.Claims(key, &body); err != nil {
		return malformed(errors.New("wrong signature"))
	}
	participant, errSub := uuid.Parse(body.Subject)
	id, errID := uuid.Parse(body.ID)
	if errSub != nil || errID != nil || body.Expiry == nil {
		return malformed(errors.New("claims are missing"))
	}
	c := Claims{Org: body.Org, Room: body.Room, Participant: participant, Role: body.Role, Host: body.Host}
	err = body.ValidateWithLeeway(jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{audience}, Time: t.now()}, 0)
	if errors.Is(err, jwt.ErrExpired) {
		return c, id, time.Time{}, &TokenRefused{Reason: "expired"}
	}
	if err != nil {
		return malformed(err)
	}
	return c, id, body.Expiry.Time(), nil
}

func (t *Tokens) use(ctx context.Context, tx pgx.Tx, org, id uuid.UUID, expires time.Time) error {
	now := t.now().UTC()
	tag, err := tx.Exec(ctx, `insert into room_token_use (jti, org_id, used_at, expires_at) values ($1, $2, $3, $4) on conflict do nothing`,
		id, org, now, expires)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return &TokenRefused{Reason: "used"}
	}
	// What has expired can no longer be used twice; skip what another redemption is deleting.
	_, err = tx.Exec(ctx, `delete from room_token_use where jti in
		(select jti from room_token_use where expires_at < $1 limit 20 for update skip locked)`, now.Add(-time.Minute))
	return err
}

// checkPlace makes sure that the token's words are still true in the database.
func checkPlace(ctx context.Context, tx pgx.Tx, c Claims) error {
	var stage string
	err := tx.QueryRow(ctx, `select v.stage from visit v join participant p on p.visit_id = v.id
		where v.room_id = $1 and p.id = $2 and p.role = $3`, c.Room, c.Participant, c.Role).Scan(&stage)
	if errors.Is(err, pgx.ErrNoRows) {
		return &TokenRefused{Reason: "foreign"}
	}
	if err != nil {
		return err
	}
	if closedReason(stage) != "" {
		return &TokenRefused{Reason: "closed"}
	}
	return nil
}

func (t *Tokens) record(ctx context.Context, from identity.Caller, c Claims, code string) error {
	event := audit.Event{Action: "room.refused", Outcome: audit.Refused, Room: c.Room, ObjectKind: "participant", ObjectID: c.Participant.String(),
		Detail: map[string]any{"code": code}}
	return t.db.Record(ctx, from.Anonymous(c.Org), event)
}
