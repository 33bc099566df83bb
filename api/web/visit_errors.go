package web

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// sentence is an error with words for its reader, in their language.
type sentence struct {
	err        error
	code, text string
}

func (s *sentence) Error() string { return s.err.Error() }
func (s *sentence) Unwrap() error { return s.err }
func (s *sentence) Code() string  { return s.code }
func (s *sentence) Safe() string  { return s.text }

// told gives an error of the domain its status and its sentence. What it does not know goes on as it is.
func (s *Site) told(c *gin.Context, err error) error {
	say := func(status int, code string) error {
		return &api.Statused{Status: status, Err: &sentence{err, code, s.texts.Get(s.Lang(c), "visit.error."+code)}}
	}
	var (
		refused      *visit.Refused
		changed      *scheduling.Changed
		notConsented *scheduling.NotConsented
		stale        *note.Stale
		notShown     *note.NotShown
		notClinician *note.NotClinician
		badValue     *scheduling.Invalid
		badNote      *note.Invalid
	)
	switch {
	case errors.Is(err, scheduling.ErrNotFound), errors.Is(err, note.ErrNotFound):
		return errors.Join(api.ErrNotFound, err)
	case errors.As(err, &notConsented):
		return say(http.StatusConflict, "no-consent")
	case errors.As(err, &refused):
		return say(http.StatusConflict, "not-now")
	case errors.As(err, &changed), errors.As(err, &stale), errors.As(err, &notShown):
		return say(http.StatusConflict, "changed")
	case errors.Is(err, note.ErrNothingToSign), errors.Is(err, note.ErrNotSigned), errors.Is(err, note.ErrNotEnded), errors.Is(err, note.ErrAlreadySigned):
		return say(http.StatusConflict, "cannot-sign")
	case errors.As(err, &notClinician):
		return say(http.StatusForbidden, "not-yours")
	case errors.As(err, &badValue):
		return &api.Invalid{Field: badValue.Field, Sentence: s.texts.Get(s.Lang(c), "visit.error.invalid")}
	case errors.As(err, &badNote):
		return &api.Invalid{Field: badNote.Field, Sentence: s.texts.Get(s.Lang(c), "visit.error.invalid")}
	}
	return err
}
