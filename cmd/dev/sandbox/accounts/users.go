package accounts

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/bcrypt"
)

// Roles of the hospital's staff, as they appear in the claim "roles".
const (
	RoleClinician  = "clinician"
	RoleScheduler  = "scheduler"
	RoleCompliance = "compliance"
	RoleAdmin      = "admin"
)

// User is one member of staff.
type User struct {
	Subject  string   `json:"sub"`
	Username string   `json:"username"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Roles    []string `json:"roles"`
	// Practitioner is the relative reference of a clinician's FHIR resource, else empty.
	Practitioner string `json:"practitioner"`
	PasswordHash []byte `json:"password_hash"`
}

// Is reports whether the user has the role.
func (u User) Is(role string) bool { return slices.Contains(u.Roles, role) }

// Users is the user store.
type Users struct {
	list      []User
	passwords map[string]string
	unknown   []byte // compared against for unknown names, so that timing tells nothing
}

const (
	usersFile     = "users.json"
	passwordsFile = "passwords.json"
)

// OpenUsers reads the users kept in dir, and makes the given ones with fresh passwords on
// the first run. Passwords are kept hashed in users.json; since this is a sandbox whose
// users are made up, passwords.json (mode 0600) repeats them in the clear for the tester.
func OpenUsers(dir string, staff []User) (*Users, error) {
	u := &Users{passwords: map[string]string{}}
	var err error
	if u.unknown, err = bcrypt.GenerateFromPassword([]byte(rand.Text()), bcrypt.MinCost); err != nil {
		return nil, err
	}
	if err := readJSON(filepath.Join(dir, usersFile), &u.list); err != nil {
		return nil, err
	}
	if err := readJSON(filepath.Join(dir, passwordsFile), &u.passwords); err != nil {
		return nil, err
	}
	changed := false
	for _, member := range staff {
		if slices.ContainsFunc(u.list, func(known User) bool { return known.Subject == member.Subject }) {
			continue
		}
		password := newPassword()
		// The passwords are random, so the least cost is enough and the first run stays quick.
		if member.PasswordHash, err = bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost); err != nil {
			return nil, err
		}
		u.list = append(u.list, member)
		u.passwords[member.Username] = password
		changed = true
	}
	if !changed {
		return u, nil
	}
	if err := writeJSON(filepath.Join(dir, passwordsFile), u.passwords); err != nil {
		return nil, err
	}
	return u, writeJSON(filepath.Join(dir, usersFile), u.list)
}

// newPassword is 16 characters of base32 (80 bits) in groups that can be typed.
func newPassword() string {
	text := rand.Text()
	return text[0:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:16]
}

// ErrLogin is the one answer to a wrong name and a wrong password.
var ErrLogin = errors.New("the name or the password is wrong")

// Login checks a name and a password.
func (u *Users) Login(username, password string) (User, error) {
	user, ok := u.ByUsername(username)
	hash := u.unknown
	if ok {
		hash = user.PasswordHash
	}
	if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil || !ok {
		return User{}, ErrLogin
	}
	return user, nil
}

// ByUsername finds a user by the name they sign in with.
func (u *Users) ByUsername(username string) (User, bool) {
	return u.find(func(user User) bool { return user.Username == username })
}

// BySubject finds a user by the claim sub.
func (u *Users) BySubject(subject string) (User, bool) {
	return u.find(func(user User) bool { return user.Subject == subject })
}

func (u *Users) find(is func(User) bool) (User, bool) {
	if i := slices.IndexFunc(u.list, is); i >= 0 {
		return u.list[i], true
	}
	return User{}, false
}

// All lists every user.
func (u *Users) All() []User { return slices.Clone(u.list) }

// Password returns the password of a sandbox user in the clear.
func (u *Users) Password(username string) string { return u.passwords[username] }

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	return json.Unmarshal(data, into)
}

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write users: %w", err)
	}
	return os.Rename(temporary, path)
}
