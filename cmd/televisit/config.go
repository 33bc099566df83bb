package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"
)

// Config is the server's configuration file (YAML). Secrets are named by file or environment, never written here.
type Config struct {
	Origin        string         `yaml:"origin"`         // https origin that browsers use
	Listen        string         `yaml:"listen"`         // host:port of the TLS listener
	TLS           TLSFiles       `yaml:"tls"`            // certificate and key, PEM
	TrustCA       string         `yaml:"trust_ca"`       // further CA, PEM, for EHRs and identity providers inside the hospital
	DatabaseURL   string         `yaml:"database_url"`   // or TELEVISIT_DATABASE_URL; the role televisit_app
	Data          string         `yaml:"data"`           // folder of the spool and of local keys
	LogLevel      string         `yaml:"log_level"`      // debug, info, warn, error
	MetricsListen string         `yaml:"metrics_listen"` // host:port of Prometheus metrics; empty: none
	Keys          KeysConfig     `yaml:"keys"`
	Store         StoreConfig    `yaml:"store"`
	Media         MediaConfig    `yaml:"media"`
	TURN          TURNConfig     `yaml:"turn"`
	Session       SessionConfig  `yaml:"session"`
	Organisations []Organisation `yaml:"organisations"`
}

// TLSFiles names a certificate and its key.
type TLSFiles struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// KeysConfig chooses where the key-encryption key lives: a local file or AWS KMS.
type KeysConfig struct {
	File     string `yaml:"file"`
	KMSKey   string `yaml:"kms_key"` // ARN
	Region   string `yaml:"region"`
	Endpoint string `yaml:"endpoint"`
}

// StoreConfig chooses the object store: a directory or S3.
type StoreConfig struct {
	Dir string    `yaml:"dir"`
	S3  *S3Config `yaml:"s3"`
}

// S3Config names a bucket. Credentials come by the AWS SDK's own chain.
type S3Config struct {
	Bucket         string `yaml:"bucket"`
	Region         string `yaml:"region"`
	Endpoint       string `yaml:"endpoint"`
	PathStyle      bool   `yaml:"path_style"`
	KMSKey         string `yaml:"kms_key"`
	ObjectLockDays int    `yaml:"object_lock_days"`
	AllowNoSSE     bool   `yaml:"allow_no_sse"` // development only
}

// MediaConfig is the SFU's.
type MediaConfig struct {
	UDP      string        `yaml:"udp"`      // host:port of all media
	TCP      string        `yaml:"tcp"`      // host:port of ICE-TCP; empty: none
	Announce []string      `yaml:"announce"` // addresses told to browsers
	Loopback bool          `yaml:"loopback"` // offer loopback candidates: development
	Mute     time.Duration `yaml:"mute_after"`
	Grace    time.Duration `yaml:"grace"`
}

// TURNConfig is the embedded TURN server's.
type TURNConfig struct {
	UDP   string `yaml:"udp"`
	TCP   string `yaml:"tcp"`
	TLS   string `yaml:"tls"`
	Relay string `yaml:"relay_ip"` // address that relays from
	Host  string `yaml:"host"`     // name that browsers use for it
}

// SessionConfig bounds a sign-in.
type SessionConfig struct {
	Idle     time.Duration `yaml:"idle"`
	Absolute time.Duration `yaml:"absolute"`
	// SignWithin is how old a clinician's proof of identity may be when a note is signed; then the identity provider is
	// asked for a fresh one.
	SignWithin time.Duration `yaml:"sign_within"`
}

// Organisation is a clinic or hospital, its EHRs and its identity providers.
type Organisation struct {
	ID       uuid.UUID     `yaml:"id"`
	Name     string        `yaml:"name"`
	TimeZone string        `yaml:"time_zone"`
	Phone    string        `yaml:"phone"` // shown to patients who need help
	EHRs     []EHRConfig   `yaml:"ehrs"`
	SSO      []SSOProvider `yaml:"sso"`
	// APIClients may book over the FHIR API.
	APIClients []APIClient `yaml:"api_clients"`
}

// EHRConfig is one FHIR server that launches visits and takes write-backs.
type EHRConfig struct {
	Name     string `yaml:"name"`
	Iss      string `yaml:"iss"` // FHIR base URL, exact
	ClientID string `yaml:"client_id"`
	Profile  string `yaml:"profile"` // generic, plain-text
	Scopes   string `yaml:"scopes"`  // of a launch, SMART v2
	// SystemScopes are those of the server itself (Backend Services), for booking and for writing back.
	SystemScopes string `yaml:"system_scopes"`
	// SystemClientID is the registration for Backend Services, where the vendor wants one apart; empty: client_id.
	SystemClientID string `yaml:"system_client_id"`
}

// SSOProvider is an OIDC identity provider for staff.
type SSOProvider struct {
	Name       string `yaml:"name"`
	Issuer     string `yaml:"issuer"`
	ClientID   string `yaml:"client_id"`
	RolesClaim string `yaml:"roles_claim"`
}

// LoadConfig reads path strictly: an unknown key is an error.
func LoadConfig(path string) (Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	var c Config
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	if url := os.Getenv("TELEVISIT_DATABASE_URL"); url != "" {
		c.DatabaseURL = url
	}
	c.fill()
	return c, c.check()
}

func (c *Config) fill() {
	orDuration := func(d *time.Duration, fallback time.Duration) {
		if *d == 0 {
			*d = fallback
		}
	}
	orDuration(&c.Media.Mute, 3*time.Second)
	orDuration(&c.Media.Grace, 30*time.Second)
	orDuration(&c.Session.Idle, 15*time.Minute)
	orDuration(&c.Session.Absolute, 12*time.Hour)
	orDuration(&c.Session.SignWithin, 12*time.Hour)
	if c.LogLevel == "" {
		c.LogLevel = "info"
	}
	for i := range c.Organisations {
		if c.Organisations[i].TimeZone == "" {
			c.Organisations[i].TimeZone = "UTC"
		}
	}
}

// shortestSignWithin leaves time to read after a proof, which itself may be some minutes old.
const shortestSignWithin = 10 * time.Minute

// check names everything that is wrong, at once.
func (c *Config) check() error {
	var problems []error
	need := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	origin, err := url.Parse(c.Origin)
	need(err == nil && origin.Scheme == "https" && origin.Host != "" && origin.Path == "", "origin must be an https origin without a path")
	need(c.Listen != "", "listen is missing")
	need(c.TLS.Cert != "" && c.TLS.Key != "", "tls.cert and tls.key are needed: the server speaks only TLS")
	need(c.DatabaseURL != "", "database_url (or TELEVISIT_DATABASE_URL) is missing")
	need(c.Data != "", "data, the folder of the recording spool, is missing")
	need((c.Keys.File == "") != (c.Keys.KMSKey == ""), "keys needs exactly one of file and kms_key")
	need((c.Store.Dir == "") != (c.Store.S3 == nil), "store needs exactly one of dir and s3")
	need(c.Media.UDP != "", "media.udp is missing")
	need(c.Session.SignWithin >= shortestSignWithin, "session.sign_within must be at least 10m, or nobody could read what they sign")
	need(len(c.Organisations) > 0, "organisations is empty")
	for _, o := range c.Organisations {
		problems = append(problems, o.check()...)
	}
	return errors.Join(problems...)
}

func (o Organisation) check() []error {
	var problems []error
	if o.ID == uuid.Nil || o.Name == "" {
		problems = append(problems, errors.New("an organisation needs an id (UUID) and a name"))
	}
	if _, err := time.LoadLocation(o.TimeZone); err != nil {
		problems = append(problems, fmt.Errorf("organisation %s: the time zone %q does not exist", o.Name, o.TimeZone))
	}
	for _, e := range o.EHRs {
		if u, err := url.Parse(e.Iss); err != nil || u.Scheme != "https" || e.Name == "" || e.ClientID == "" {
			problems = append(problems, fmt.Errorf("organisation %s: an EHR needs name, client_id and an https iss", o.Name))
		}
	}
	for _, s := range o.SSO {
		if u, err := url.Parse(s.Issuer); err != nil || u.Scheme != "https" || s.Name == "" || s.ClientID == "" {
			problems = append(problems, fmt.Errorf("organisation %s: an identity provider needs name, client_id and an https issuer", o.Name))
		}
	}
	return problems
}

// hasProvider tells whether connection is an identity provider of the organisation: a SMART launch is none.
func (c *Config) hasProvider(org uuid.UUID, connection string) bool {
	for _, o := range c.Organisations {
		if o.ID == org && slices.ContainsFunc(o.SSO, func(p SSOProvider) bool { return p.Name == connection }) {
			return true
		}
	}
	return false
}
