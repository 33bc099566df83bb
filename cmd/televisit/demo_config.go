package main

import (
	"fmt"
	"path/filepath"

	"github.com/google/uuid"
)

// config is what a configuration file of this demonstration would say.
func (d *demo) config() Config {
	local := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	c := Config{
		Origin: d.origin(), Listen: local(d.state.ServerPort), TLS: TLSFiles{Cert: d.tls.Cert, Key: d.tls.Key}, TrustCA: d.tls.CA,
		DatabaseURL: d.pg.URL(appRole, d.state.AppPassword, demoDatabase), Data: d.dir, LogLevel: d.cmd.LogLevel,
		MetricsListen: local(d.state.MetricsPort),
		Keys:          KeysConfig{File: filepath.Join(d.dir, "keys", "kek.json")},
		Store:         StoreConfig{Dir: filepath.Join(d.dir, "store")},
		Media:         MediaConfig{UDP: local(d.state.MediaPort), TCP: local(d.state.MediaPort), Loopback: true, Announce: []string{"127.0.0.1"}},
		TURN: TURNConfig{UDP: local(d.state.TURNPort), TCP: local(d.state.TURNPort), TLS: local(d.state.TURNTLSPort),
			Relay: "127.0.0.1", Host: "localhost"},
		Organisations: []Organisation{{
			ID: uuid.MustParse(d.state.OrgID), Name: "Sandbox Hospital", TimeZone: "America/New_York", Phone: "+1 555 0100",
			EHRs: []EHRConfig{{Name: demoEHR, Iss: d.sandbox.ready.FHIRBase, ClientID: demoClientID, Profile: "generic",
				Scopes: demoEHRScopes, SystemScopes: demoSystemScopes}},
			APIClients: []APIClient{{EHR: demoEHR, ClientID: demoBookingID}},
			SSO:        []SSOProvider{{Name: demoSSO, Issuer: d.sandbox.ready.StaffIssuer, ClientID: demoStaffID, RolesClaim: "roles"}},
		}},
	}
	c.fill()
	return c
}
