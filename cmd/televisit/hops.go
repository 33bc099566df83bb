package main

import (
	"context"
	"net/url"

	"github.com/televisit/televisit/api/web"
)

// hops lists where health information travels, as the running configuration has it (web.Boundary).
type hops struct{ config Config }

const (
	stateOwn     = "own"
	stateMissing = "missing"
)

// Hops implements web.Boundary.
func (h hops) Hops(context.Context) ([]web.HopView, error) {
	c := h.config
	own := func(name, kind, encryption, endpoint string) web.HopView {
		return web.HopView{Name: name, Kind: kind, Operator: c.Organisations[0].Name, PHI: true, Inside: true, Encryption: encryption, State: stateOwn, Endpoint: endpoint}
	}
	found := []web.HopView{
		own("Pages and signalling", "signalling", "TLS 1.2+", c.Listen),
		own("Media", "media", "DTLS-SRTP", c.Media.UDP),
		own("Database", "database", "columns sealed (AES-256-GCM)", hostOf(c.DatabaseURL)),
	}
	if c.TURN.UDP != "" || c.TURN.TLS != "" {
		found = append(found, own("TURN relay", "relay", "DTLS-SRTP, relayed unopened", c.TURN.UDP))
	}
	found = append(found, h.store(), h.keys())
	for _, o := range c.Organisations {
		for _, e := range o.EHRs {
			found = append(found, web.HopView{Name: "EHR " + e.Name, Kind: "ehr", Operator: o.Name, PHI: true, Encryption: "TLS 1.2+", State: stateOwn, Endpoint: hostOf(e.Iss)})
		}
		for _, p := range o.SSO {
			found = append(found, web.HopView{Name: "Identity provider " + p.Name, Kind: "identity", Operator: o.Name, Encryption: "TLS 1.2+", State: "none-needed", Endpoint: hostOf(p.Issuer)})
		}
	}
	return found, nil
}

func (h hops) store() web.HopView {
	hop := web.HopView{Name: "Recordings", Kind: "storage", Operator: h.config.Organisations[0].Name, PHI: true, Inside: true, Encryption: "AES-256-GCM before it is written", State: stateOwn, Endpoint: "directory"}
	if s3 := h.config.Store.S3; s3 != nil {
		hop.Encryption += ", SSE-KMS"
		hop.Endpoint, hop.Operator, hop.Inside, hop.State = s3.Bucket, "AWS S3", false, stateMissing
		if s3.Endpoint != "" {
			hop.Operator = hostOf(s3.Endpoint)
		}
	}
	return hop
}

func (h hops) keys() web.HopView {
	hop := web.HopView{Name: "Key-encryption key", Kind: "keys", Operator: h.config.Organisations[0].Name, Inside: true, Encryption: "file of its owner alone", State: "none-needed", Endpoint: "file"}
	if h.config.Keys.KMSKey != "" {
		hop.Operator, hop.Inside, hop.Encryption, hop.Endpoint = "AWS KMS", false, "TLS 1.2+", h.config.Keys.Region
	}
	return hop
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "unix socket"
	}
	return u.Host
}
