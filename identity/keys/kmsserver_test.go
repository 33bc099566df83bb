package keys_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const testARN = "arn:aws:kms:eu-south-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// kmsServer speaks the AWS JSON 1.1 protocol of KMS (Encrypt, Decrypt) with real AES-GCM inside, so that the real SDK
// client, its signing and its error handling are what the tests run.
type kmsServer struct {
	*httptest.Server
	aead cipher.AEAD

	mu       sync.Mutex
	fail     string // error code to answer with
	requests []string
	bodies   []string
}

func newKMSServer(t *testing.T) *kmsServer {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	block, err := aes.NewCipher(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	s := &kmsServer{aead: aead}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *kmsServer) failWith(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = code
}

func (s *kmsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, r.Header.Get("Authorization"))
	s.bodies = append(s.bodies, string(body))
	fail := s.fail
	s.mu.Unlock()
	var in struct {
		KeyID             string            `json:"KeyId"`
		Plaintext         []byte            `json:"Plaintext"`
		CiphertextBlob    []byte            `json:"CiphertextBlob"`
		EncryptionContext map[string]string `json:"EncryptionContext"`
	}
	if fail != "" {
		refuse(w, fail)
		return
	}
	if err := json.Unmarshal(body, &in); err != nil || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		refuse(w, "SerializationException")
		return
	}
	if in.KeyID != testARN {
		refuse(w, "NotFoundException")
		return
	}
	aad, _ := json.Marshal(in.EncryptionContext)
	out := map[string]any{"KeyId": in.KeyID, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
	switch strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.") {
	case "Encrypt":
		if len(in.Plaintext) == 0 || len(in.Plaintext) > 4096 {
			refuse(w, "ValidationException")
			return
		}
		out["CiphertextBlob"] = s.aead.Seal(nil, nil, in.Plaintext, aad)
	case "Decrypt":
		plain, err := s.aead.Open(nil, nil, in.CiphertextBlob, aad)
		if err != nil {
			refuse(w, "InvalidCiphertextException")
			return
		}
		out["Plaintext"] = plain
	default:
		refuse(w, "UnknownOperationException")
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out)
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": "refused"})
}
