package fhir

import (
	"crypto/sha1" // #nosec G505 -- R4 fixes Attachment.hash to SHA-1; the fingerprint that counts is the SHA-256 identifier
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/google/uuid"
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/identity/phi"
)

// Code is a coding with its display.
type Code struct {
	System, Code, Display string
}

// ProgressNote is the type of a note where nothing else is configured: LOINC 11506-3.
func ProgressNote() Code { return Code{System: systemLOINC, Code: "11506-3", Display: "Progress note"} }

// NoteKind says how a signed note relates to the one before it.
type NoteKind string

// The kinds of signed notes.
const (
	NoteOriginal   NoteKind = "original"
	NoteAddendum   NoteKind = "addendum"
	NoteCorrection NoteKind = "correction"
)

// Content is one rendering of a note. All contents of a note say the same.
type Content struct {
	Type string // MIME type with charset
	Body phi.Text
}

// Note is a signed note on its way to the chart.
type Note struct {
	Identifiers  []uuid.UUID
	SHA256       []byte // of the bytes that were signed
	Kind         NoteKind
	Follows      phi.Text // reference of the DocumentReference that this one amends
	Type         Code     // zero: ProgressNote
	SignedAt     time.Time
	Patient      phi.Text
	Author       phi.Text // optional: some EHRs take the author from the token
	Organization phi.Text
	Encounter    phi.Text // optional
	StartedAt    time.Time
	EndedAt      time.Time
	Contents     []Content
}

// NoteDocument maps a signed note to a DocumentReference in the shape of US Core (category clinical-note).
func NoteDocument(n Note) []byte {
	if n.Type.Code == "" {
		n.Type = ProgressNote()
	}
	d := r4.DocumentReference{
		Meta:          (*Serve)(nil).meta(ProfileDocumentReference),
		Identifier:    documentIdentifiers(n.Identifiers, n.SHA256),
		Status:        r4.DocumentReferenceStatusCurrent,
		DocStatus:     ptr(docStatus(n.Kind)),
		Type:          ptr(concept(n.Type.System, n.Type.Code, n.Type.Display, n.Type.Display)),
		Category:      []r4.CodeableConcept{concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note", "")},
		Subject:       ptr(reference(n.Patient)),
		Date:          instant(n.SignedAt),
		Authenticator: optionalReference(n.Author),
		Custodian:     optionalReference(n.Organization),
		Description:   ptr("Note of a video visit"),
		RelatesTo:     relatesTo(n),
		Context:       documentContext(n.Encounter, n.StartedAt, n.EndedAt),
	}
	if a := optionalReference(n.Author); a != nil {
		d.Author = []r4.Reference{*a}
	}
	for _, c := range n.Contents {
		d.Content = append(d.Content, r4.DocumentReferenceContent{Attachment: inline(c, n.SignedAt), Format: format(c.Type)})
	}
	if len(d.Content) == 0 { // R4 asks for one; a note without any says so
		d.Content = []r4.DocumentReferenceContent{{Attachment: r4.Attachment{Extension: unknown(), Title: ptr("Note of a video visit")}}}
	}
	return encode(d)
}

// Recording is a stored recording. Its bytes stay here; the chart receives where they are.
type Recording struct {
	Identifiers  []uuid.UUID
	SHA256       []byte
	URL          string // {origin}/recordings/<uuid>; whoever follows it must sign in
	ContentType  string // video/webm or video/mp4
	Bytes        int64
	StoredAt     time.Time
	Patient      phi.Text
	Author       phi.Text
	Organization phi.Text
	Encounter    phi.Text
	StartedAt    time.Time
	EndedAt      time.Time
}

// RecordingDocument maps a recording to a DocumentReference that is no clinical note: no LOINC code fits a
// video visit's recording, so its type is a code of our own with a text.
func RecordingDocument(r Recording) []byte {
	attachment := r4.Attachment{
		ContentType: token(r.ContentType), Url: token(r.URL), Title: ptr("Recording of a video visit"), Creation: instant(r.StoredAt),
	}
	if r.Bytes > 0 && r.Bytes <= 1<<31-1 { // R4 unsignedInt
		attachment.Size = ptr(int(r.Bytes))
	}
	if attachment.ContentType == nil {
		attachment.ContentType = ptr("video/webm")
	}
	d := r4.DocumentReference{
		Identifier: documentIdentifiers(r.Identifiers, r.SHA256),
		Status:     r4.DocumentReferenceStatusCurrent,
		DocStatus:  ptr(r4.CompositionStatusFinal),
		Type:       ptr(concept(systemDocumentType, "visit-recording", "Recording of a video visit", "Recording of a video visit")),
		// Not clinical-note, which it is not; but servers in the shape of US Core ask for a category.
		Category:    []r4.CodeableConcept{concept(SystemBase+"CodeSystem/document-category", "recording", "Recording", "Recording")},
		Subject:     ptr(reference(r.Patient)),
		Date:        instant(r.StoredAt),
		Custodian:   optionalReference(r.Organization),
		Description: ptr("Where the recording of a video visit is kept; opening it needs a sign-in and is audited"),
		Content:     []r4.DocumentReferenceContent{{Attachment: attachment}},
		Context:     documentContext(r.Encounter, r.StartedAt, r.EndedAt),
	}
	if a := optionalReference(r.Author); a != nil {
		d.Author = []r4.Reference{*a}
	}
	return encode(d)
}

func docStatus(k NoteKind) r4.CompositionStatus {
	if k == NoteCorrection {
		return r4.CompositionStatusAmended
	}
	return r4.CompositionStatusFinal
}

func relatesTo(n Note) []r4.DocumentReferenceRelatesTo {
	target := optionalReference(n.Follows)
	if target == nil {
		return nil
	}
	switch n.Kind {
	case NoteAddendum:
		return []r4.DocumentReferenceRelatesTo{{Code: r4.DocumentRelationshipTypeAppends, Target: *target}}
	case NoteCorrection:
		return []r4.DocumentReferenceRelatesTo{{Code: r4.DocumentRelationshipTypeReplaces, Target: *target}}
	default:
		return nil
	}
}

func documentIdentifiers(ids []uuid.UUID, digest []byte) []r4.Identifier {
	out := identifiers(ids)
	if len(digest) > 0 {
		out = append(out, r4.Identifier{System: ptr(systemSHA256), Value: ptr(hex.EncodeToString(digest))})
	}
	return out
}

func documentContext(encounter phi.Text, start, end time.Time) *r4.DocumentReferenceContext {
	c := r4.DocumentReferenceContext{Period: period(start, end)}
	if e := optionalReference(encounter); e != nil {
		c.Encounter = []r4.Reference{*e}
	}
	if c.Period == nil && c.Encounter == nil {
		return nil
	}
	return &c
}

// inline carries the bytes themselves, base64, so that the chart needs nothing of ours to show them.
func inline(c Content, at time.Time) r4.Attachment {
	body := []byte(c.Body.Reveal())
	digest := sha1.Sum(body) // #nosec G401 -- see the import
	a := r4.Attachment{
		ContentType: token(c.Type), Title: ptr("Note of a video visit"), Creation: instant(at),
		Size: ptr(len(body)), Hash: ptr(base64.StdEncoding.EncodeToString(digest[:])),
	}
	if a.ContentType == nil {
		a.ContentType = ptr("text/plain;charset=utf-8")
	}
	if len(body) > 0 {
		a.Data = ptr(base64.StdEncoding.EncodeToString(body))
	} else {
		a.Hash = nil
		a.Extension = unknown()
	}
	return a
}

// format tells document consumers (IHE) that the content type alone says it all.
func format(contentType string) *r4.Coding {
	if !strings.HasPrefix(contentType, "text/") {
		return nil
	}
	return ptr(coding("http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode", "urn:ihe:iti:xds:2017:mimeTypeSufficient", "mimeType Sufficient"))
}
