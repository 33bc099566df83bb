package ehr

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// Outcome is what the EHR says that it made of a write.
type Outcome struct {
	Status    int
	Created   bool   // false when a conditional create found the resource to be there already
	Location  string // "Type/id"; empty when the EHR does not tell
	VersionID string
	ETag      string
	RequestID string // the EHR's own, or ours
	Body      []byte // what it sent back; may be empty
}

// CreateConditional creates a resource unless one matches already (FHIR R4 http.html, conditional create); without
// conditions it simply creates. Several matches are a *Conflict.
func (c *Client) CreateConditional(ctx context.Context, typ string, ifNoneExist url.Values, body []byte) (Outcome, error) {
	header := map[string]string{"Content-Type": fhirJSON, "Prefer": "return=minimal"}
	if len(ifNoneExist) > 0 {
		header["If-None-Exist"] = ifNoneExist.Encode()
	}
	return c.write(ctx, call{interaction: "create", typ: typ, method: http.MethodPost, path: typ, header: header, body: body})
}

// Update replaces a resource of that version. An empty etag is refused: it would overwrite what nobody has read.
func (c *Client) Update(ctx context.Context, reference, etag string, body []byte) (Outcome, error) {
	return c.change(ctx, "update", http.MethodPut, fhirJSON, reference, etag, body)
}

// Patch applies a JSON Patch (RFC 6902) to a resource of that version.
func (c *Client) Patch(ctx context.Context, reference, etag string, patch []byte) (Outcome, error) {
	return c.change(ctx, "patch", http.MethodPatch, "application/json-patch+json", reference, etag, patch)
}

func (c *Client) change(ctx context.Context, interaction, method, contentType, reference, etag string, body []byte) (Outcome, error) {
	typ, id, _, ok := splitReference(c.Relative(reference))
	if !ok {
		return Outcome{}, &Permanent{Problem{Interaction: interaction, cause: ErrForeign}}
	}
	if !isETag(etag) {
		return Outcome{}, &Permanent{Problem{Interaction: interaction, Type: typ, cause: errors.New("no version to change")}}
	}
	return c.write(ctx, call{interaction: interaction, typ: typ, method: method, path: typ + "/" + id, body: body,
		header: map[string]string{"Content-Type": contentType, "If-Match": etag, "Prefer": "return=minimal"}})
}

func (c *Client) write(ctx context.Context, in call) (Outcome, error) {
	if !isTypeName(in.typ) {
		return Outcome{}, &Permanent{Problem{Interaction: in.interaction, cause: errors.New("no resource type")}}
	}
	out, err := c.do(ctx, in)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Status: out.status, Created: out.status == http.StatusCreated, RequestID: out.requestID, Body: out.body}
	if tag := out.header.Get("ETag"); isETag(tag) {
		o.ETag = tag
	}
	for _, place := range []string{out.header.Get("Location"), out.header.Get("Content-Location")} {
		path, err := c.below(place)
		if typ, id, version, ok := splitReference(path); err == nil && ok && typ == in.typ {
			o.Location, o.VersionID = typ+"/"+id, version
			break
		}
	}
	// Some answer a conditional create that found something with the resource and no Location.
	if r, err := Parse(out.body); err == nil && r.Type == in.typ && r.ID != "" {
		if o.Location == "" {
			o.Location = r.Reference()
		}
		if o.ETag == "" && o.Location == r.Reference() {
			o.ETag, o.VersionID = r.ETag, r.VersionID
		}
	}
	if o.ETag == "" && o.VersionID != "" {
		o.ETag = `W/"` + o.VersionID + `"`
	}
	return o, nil
}
