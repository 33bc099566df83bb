package rtc

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
)

// RoomTokens is the Access of the server's own room tokens.
type RoomTokens struct {
	Tokens *join.Tokens
	// RelayOnly tells whether a room's media may only travel through the relay.
	RelayOnly func(ctx context.Context, org, room uuid.UUID) (bool, error)
}

// Redeem implements Access.
func (r *RoomTokens) Redeem(ctx context.Context, from identity.Caller, token string) (Grant, error) {
	claims, err := r.Tokens.Redeem(ctx, from, token)
	if err != nil {
		return Grant{}, told(err)
	}
	grant := Grant{Org: claims.Org, Room: claims.Room, Participant: claims.Participant, Role: claims.Role, Host: claims.Host}
	grant.RelayOnly, err = r.RelayOnly(ctx, claims.Org, claims.Room)
	return grant, err
}

// Renew implements Access.
func (r *RoomTokens) Renew(_ context.Context, grant Grant) (string, time.Time, error) {
	return r.Tokens.Issue(join.Claims{Org: grant.Org, Room: grant.Room, Participant: grant.Participant, Role: grant.Role, Host: grant.Host})
}

// told names a refused token to the client; the cause stays in the error for the log.
func told(err error) error {
	var refused *join.TokenRefused
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Reason {
	case "expired":
		return errors.Join(ErrTokenExpired, err)
	case "used":
		return errors.Join(ErrTokenUsed, err)
	case "closed":
		return errors.Join(&Refusal{CodeRoomRefused, "this visit is over"}, err)
	}
	return errors.Join(ErrTokenForeign, err)
}
