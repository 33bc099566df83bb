package keys_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
)

// eachKEK runs the same test over the local file and over the KMS protocol.
func eachKEK(t *testing.T, test func(t *testing.T, k *keys.Keys)) {
	t.Run("file", func(t *testing.T) {
		k, err := keys.Open(context.Background(), keys.Config{File: filepath.Join(t.TempDir(), "key.json")})
		if err != nil {
			t.Fatal(err)
		}
		test(t, k)
	})
	t.Run("kms", func(t *testing.T) {
		server := newKMSServer(t)
		k, err := keys.Open(context.Background(), keys.Config{KMSKeyARN: testARN, KMSEndpoint: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		test(t, k)
	})
}

func TestWrappedKeyBelongsToItsPlace(t *testing.T) {
	eachKEK(t, func(t *testing.T, k *keys.Keys) {
		ctx, aad := context.Background(), []byte("recording/1")
		plain, wrapped, err := k.NewWrapped(ctx, aad)
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) != keys.DataKeySize || bytes.Contains(wrapped, plain) {
			t.Fatalf("plain has %d bytes, or is inside wrapped", len(plain))
		}
		other, _, err := k.NewWrapped(ctx, aad)
		if err != nil || bytes.Equal(other, plain) {
			t.Fatalf("second key: equal to the first, or %v", err)
		}
		again, err := k.Unwrap(ctx, wrapped, aad)
		if err != nil || !bytes.Equal(again, plain) {
			t.Fatalf("Unwrap: %v", err)
		}
		if _, err := k.Unwrap(ctx, wrapped, []byte("recording/2")); !errors.Is(err, keys.ErrNotOpened) {
			t.Errorf("other associated data: %v, want ErrNotOpened", err)
		}
		for i := range wrapped {
			tampered := bytes.Clone(wrapped)
			tampered[i] ^= 0x80
			if _, err := k.Unwrap(ctx, tampered, aad); !errors.Is(err, keys.ErrNotOpened) {
				t.Fatalf("byte %d changed: %v, want ErrNotOpened", i, err)
			}
		}
		for _, n := range []int{0, 1, len(wrapped) - 1} {
			if _, err := k.Unwrap(ctx, wrapped[:n], aad); err == nil {
				t.Errorf("opened after truncation to %d bytes", n)
			}
		}
		if _, _, err := k.NewWrapped(ctx, nil); !errors.Is(err, keys.ErrNoContext) {
			t.Errorf("wrap without associated data: %v", err)
		}
		if _, err := k.Unwrap(ctx, wrapped, nil); !errors.Is(err, keys.ErrNoContext) {
			t.Errorf("unwrap without associated data: %v", err)
		}
		rewrapped, err := k.Rewrap(ctx, wrapped, aad)
		if err != nil || bytes.Equal(rewrapped, wrapped) {
			t.Fatalf("Rewrap: %v", err)
		}
		if again, err := k.Unwrap(ctx, rewrapped, aad); err != nil || !bytes.Equal(again, plain) {
			t.Errorf("rewrapped key: %v", err)
		}
	})
}

func sealerOf(t *testing.T, k *keys.Keys, wrapped, aad []byte) *keys.OrgKey {
	t.Helper()
	plain, err := k.Unwrap(context.Background(), wrapped, aad)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Wipe(plain) // proves that the sealer keeps nothing of it
	sealer, err := keys.OrgSealer(plain)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func TestRotationKeepsOldRowsReadableAndIndexStable(t *testing.T) {
	eachKEK(t, func(t *testing.T, k *keys.Keys) {
		ctx, aad := context.Background(), []byte("organisation/1")
		_, wrapped, err := k.NewWrapped(ctx, aad)
		if err != nil {
			t.Fatal(err)
		}
		row := phi.Row{Table: "patient", Column: "name", ID: uuid.New()}
		name := phi.NewText("Ada Canary")
		first := sealerOf(t, k, wrapped, aad)
		index := phi.IndexText(first, "patient.name", name)
		var sealed [][]byte
		for generation := range 4 {
			sealer := sealerOf(t, k, wrapped, aad)
			c, err := phi.SealText(sealer, name, row)
			if err != nil {
				t.Fatal(err)
			}
			sealed = append(sealed, c)
			for i, c := range sealed {
				if got, err := phi.OpenText(sealer, c, row); err != nil || !got.Equal(name) {
					t.Errorf("generation %d does not open what %d sealed: %v", generation, i, err)
				}
				if sealer.Current(c) != (i == generation) {
					t.Errorf("generation %d: Current(sealed by %d) = %v", generation, i, sealer.Current(c))
				}
			}
			if !bytes.Equal(phi.IndexText(sealer, "patient.name", name), index) {
				t.Errorf("generation %d: index changed", generation)
			}
			if wrapped, err = k.Rotate(ctx, wrapped, aad); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := phi.OpenText(first, sealed[1], row); !errors.Is(err, keys.ErrNotSealed) {
			t.Errorf("the first key opens what a later one sealed: %v", err)
		}
		if _, err := k.Rotate(ctx, wrapped, []byte("organisation/2")); !errors.Is(err, keys.ErrNotOpened) {
			t.Errorf("rotated under other associated data: %v", err)
		}
		last, err := phi.SealText(sealerOf(t, k, wrapped, aad), name, row)
		if err != nil {
			t.Fatal(err)
		}
		if wrapped, err = k.Retire(ctx, wrapped, aad); err != nil {
			t.Fatal(err)
		}
		retired := sealerOf(t, k, wrapped, aad)
		for i, c := range sealed {
			if _, err := phi.OpenText(retired, c, row); !errors.Is(err, keys.ErrNotSealed) {
				t.Errorf("retired key %d still opens: %v", i, err)
			}
		}
		if got, err := phi.OpenText(retired, last, row); err != nil || !got.Equal(name) {
			t.Errorf("primary after Retire: %v", err)
		}
		if !bytes.Equal(phi.IndexText(retired, "patient.name", name), index) {
			t.Error("Retire changed the index")
		}
	})
}

func TestRotationIsBoundedByWhatKMSAccepts(t *testing.T) {
	k, err := keys.Open(context.Background(), keys.Config{File: filepath.Join(t.TempDir(), "key.json")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, aad := context.Background(), []byte("organisation/1")
	_, wrapped, err := k.NewWrapped(ctx, aad)
	if err != nil {
		t.Fatal(err)
	}
	for generation := range 100 {
		next, err := k.Rotate(ctx, wrapped, aad)
		if err != nil {
			if generation < 10 || !strings.Contains(err.Error(), "retire") {
				t.Fatalf("rotation %d: %v", generation, err)
			}
			if next, err = k.Retire(ctx, wrapped, aad); err != nil {
				t.Fatal(err)
			}
			if _, err = k.Rotate(ctx, next, aad); err != nil {
				t.Fatalf("rotation after Retire: %v", err)
			}
			return
		}
		wrapped = next
	}
	t.Fatal("a hundred generations were accepted; AWS KMS would have refused them")
}

func TestSealersOfOrganisationsAreApart(t *testing.T) {
	k, err := keys.Open(context.Background(), keys.Config{File: filepath.Join(t.TempDir(), "key.json")})
	if err != nil {
		t.Fatal(err)
	}
	var sealers []*keys.OrgKey
	for _, aad := range []string{"organisation/1", "organisation/2"} {
		plain, _, err := k.NewWrapped(context.Background(), []byte(aad))
		if err != nil {
			t.Fatal(err)
		}
		sealer, err := keys.OrgSealer(plain)
		if err != nil {
			t.Fatal(err)
		}
		sealers = append(sealers, sealer)
	}
	sealed, err := sealers[0].Seal([]byte("x"), []byte("row"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealers[1].Open(sealed, []byte("row")); !errors.Is(err, keys.ErrNotSealed) {
		t.Errorf("another organisation opened it: %v", err)
	}
	if bytes.Equal(sealers[0].Index("d", "v"), sealers[1].Index("d", "v")) {
		t.Error("indexes of two organisations agree")
	}
	if bytes.Equal(sealers[0].Index("ab", "c"), sealers[0].Index("a", "bc")) {
		t.Error("domain and value run into each other")
	}
	for _, bad := range [][]byte{nil, {1}, make([]byte, 31), make([]byte, 33), append([]byte{1}, make([]byte, 40)...)} {
		if _, err := keys.OrgSealer(bad); !errors.Is(err, keys.ErrNotRing) {
			t.Errorf("OrgSealer of %d bytes: %v, want ErrNotRing", len(bad), err)
		}
	}
}

func FuzzOrgSealer(f *testing.F) {
	f.Add(make([]byte, 32))
	f.Add(append([]byte{1}, make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealer, err := keys.OrgSealer(plain)
		if err != nil {
			return
		}
		sealed, err := sealer.Seal([]byte("v"), []byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sealer.Open(sealed, []byte("a")); err != nil || string(got) != "v" {
			t.Errorf("accepted key does not work: %v", err)
		}
	})
}

func TestKMSProtocol(t *testing.T) {
	server := newKMSServer(t)
	ctx := context.Background()
	k, err := keys.Open(ctx, keys.Config{KMSKeyARN: testARN, KMSEndpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	aad := []byte("organisation/1")
	_, wrapped, err := k.NewWrapped(ctx, aad)
	if err != nil {
		t.Fatal(err)
	}
	server.mu.Lock()
	last, body := server.requests[len(server.requests)-1], server.bodies[len(server.bodies)-1]
	server.mu.Unlock()
	if !strings.Contains(last, "/eu-south-1/kms/aws4_request") {
		t.Errorf("request is not signed for the region of the ARN: %s", last)
	}
	if !strings.Contains(body, hex.EncodeToString(aad)) {
		t.Errorf("encryption context is not sent: %s", body)
	}
	for _, code := range []string{"AccessDeniedException", "DisabledException", "KMSInvalidStateException"} {
		server.failWith(code)
		if _, err := k.Unwrap(ctx, wrapped, aad); !errors.Is(err, keys.ErrUnavailable) || errors.Is(err, keys.ErrNotOpened) {
			t.Errorf("%s: %v, want ErrUnavailable", code, err)
		}
		if _, err := keys.Open(ctx, keys.Config{KMSKeyARN: testARN, KMSEndpoint: server.URL}); !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("Open with %s: %v, want ErrUnavailable", code, err)
		}
	}
	server.failWith("")
	if _, err := k.Unwrap(ctx, wrapped, aad); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestOpenRefusesBadConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.json")
	for name, c := range map[string]keys.Config{
		"nothing":       {},
		"both":          {File: file, KMSKeyARN: testARN},
		"not an ARN":    {KMSKeyARN: "alias/televisit"},
		"other service": {KMSKeyARN: "arn:aws:s3:eu-south-1:111122223333:key/x"},
		"plain http":    {KMSKeyARN: testARN, KMSEndpoint: "http://kms.example.org"},
		"no URL":        {KMSKeyARN: testARN, KMSEndpoint: "kms"},
	} {
		if _, err := keys.Open(context.Background(), c); !errors.Is(err, keys.ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}
