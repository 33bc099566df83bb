package rtc

import (
	"errors"

	"github.com/televisit/televisit/identity/join"
)

// told names a refused room token in the protocol's codes, whether Access gives identity's error as it is or its code
// in a Refusal. Other errors go on as they are.
func told(err error) error {
	var refused *join.TokenRefused
	var refusal *Refusal
	switch {
	case errors.As(err, &refused):
		return errors.Join(tokenRefusal(refused.Reason), err)
	case errors.As(err, &refusal) && tokenRefusal(refusal.Code) != nil:
		return errors.Join(tokenRefusal(refusal.Code), err)
	}
	return err
}

// tokenRefusal gives the refusal for a reason of identity/join, or nil for what is none.
func tokenRefusal(reason string) error {
	switch reason {
	case "expired":
		return ErrTokenExpired
	case "used":
		return ErrTokenUsed
	case "foreign", "malformed":
		return ErrTokenForeign
	case "closed":
		return &Refusal{CodeRoomRefused, "this visit is over"}
	}
	return nil
}
