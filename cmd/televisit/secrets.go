package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
)

const (
	auditPrivateFile = "audit.key"
	auditPublicFile  = "audit.pub"
	noteKeyFile      = "note-signing.pem"
	auditKeyName     = "televisit-audit"
)

// auditSigningKey reads the key that signs checkpoints, made on first use with its public half beside it.
func auditSigningKey(dir string) (string, error) {
	path := filepath.Join(dir, auditPrivateFile)
	raw, err := os.ReadFile(path)
	if err == nil {
		return string(raw), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the audit signing key: %w", err)
	}
	private, public, err := note.GenerateKey(rand.Reader, auditKeyName)
	if err != nil {
		return "", err
	}
	if err := writeSecret(filepath.Join(dir, auditPublicFile), []byte(public), 0o644); err != nil {
		return "", err
	}
	return private, writeSecret(path, []byte(private), 0o600)
}

// noteSigningKey reads the organisation's key for signed notes (ES256), made on first use.
func noteSigningKey(dir string) (*ecdsa.PrivateKey, error) {
	path := filepath.Join(dir, noteKeyFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeNoteKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the note signing key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("the note signing key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse the note signing key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the note signing key is not an ECDSA key on P-256")
	}
	return key, nil
}

func makeNoteKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeSecret(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// writeSecret writes whole or not at all; when it returns, a power cut takes nothing back.
func writeSecret(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the key folder: %w", err)
	}
	if err := writeDurably(path, content, mode); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func writeDurably(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
