package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The booking system stands for another program of the hospital that books over the FHIR API. Its key is made on the
// first run, registered with the sandbox, and named by --json for whoever plays its part.
const (
	demoBookingID     = "booking-system"
	demoBookingScopes = "system/Appointment.cruds system/Patient.rs system/Practitioner.rs"
)

// jwk is a P-384 key as RFC 7517 writes it; D is the private part.
type jwk struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	X         string `json:"x"`
	Y         string `json:"y"`
	D         string `json:"d,omitempty"`
}

func (d *demo) bookingKeyFile() string { return filepath.Join(d.dir, "keys", "booking-client.json") }

// bookingKey gives the public key of the booking system.
func (d *demo) bookingKey() (json.RawMessage, error) {
	raw, err := os.ReadFile(d.bookingKeyFile())
	if errors.Is(err, os.ErrNotExist) {
		raw, err = makeBookingKey(d.bookingKeyFile())
	}
	if err != nil {
		return nil, fmt.Errorf("the booking system's key: %w", err)
	}
	var key jwk
	if err := json.Unmarshal(raw, &key); err != nil {
		return nil, fmt.Errorf("the booking system's key: %w", err)
	}
	key.D = ""
	return json.Marshal(key)
}

func makeBookingKey(path string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes() // 0x04, X, Y
	if err != nil {
		return nil, err
	}
	private, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	raw, err := json.Marshal(jwk{KeyType: "EC", Curve: "P-384", KeyID: "booking-1", Algorithm: "ES384", Use: "sig",
		X: encode(point[1:49]), Y: encode(point[49:97]), D: encode(private)})
	if err != nil {
		return nil, err
	}
	return raw, writeSecret(path, raw, 0o600)
}
