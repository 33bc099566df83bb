package recorder

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A segment file is a magic word and chunks: flags (1 byte), length (4 bytes), ciphertext. The last chunk of a segment that was
// closed in order carries flagLast, which its associated data repeats: without it a segment was cut, by a crash or by somebody.
const (
	segmentMagic  = "TVSEG\x00\x00\x01"
	chunkHead     = 1 + 4
	flagLast      = 1
	maxChunk      = 16 << 20
	openSuffix    = ".open"
	segmentSuffix = ".seg"
)

// segmentID names a segment: which capture of which recording, and its number from 0.
type segmentID struct {
	recording, capture uuid.UUID
	seq                uint64
}

func (id segmentID) fileName() string { return fmt.Sprintf("%08d", id.seq) }

// key is the name in the object store.
func (id segmentID) key() string {
	return segmentPrefix(id.recording) + id.capture.String() + "/" + id.fileName() + segmentSuffix
}

func segmentPrefix(recording uuid.UUID) string { return recordingPrefix(recording) + "segments/" }

func recordingPrefix(recording uuid.UUID) string { return "recordings/" + recording.String() + "/" }

// parseSegment reads "<capture>/<seq>.<suffix>" as the spool and the store name it.
func parseSegment(recording uuid.UUID, name, suffix string) (segmentID, bool) {
	folder, file, found := strings.Cut(name, "/")
	digits, hasSuffix := strings.CutSuffix(file, suffix)
	if !found || !hasSuffix {
		return segmentID{}, false
	}
	capture, err := uuid.Parse(folder)
	if err != nil {
		return segmentID{}, false
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	return segmentID{recording: recording, capture: capture, seq: seq}, err == nil
}

// segmentFile is the open segment of a track.
type segmentFile struct {
	vault *vault
	id    segmentID
	file  *os.File
	index uint64
	size  int64
	buf   []byte
}

// createSegment makes the file; the folder is there already.
func createSegment(v *vault, id segmentID, folder string) (*segmentFile, error) {
	f, err := os.OpenFile(filepath.Join(folder, id.fileName()+openSuffix), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	s := &segmentFile{vault: v, id: id, file: f}
	if err := s.write([]byte(segmentMagic)); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// append encrypts the records as one chunk and hands it to the kernel in one write: a killed process loses nothing that was appended.
func (s *segmentFile) append(records []byte, last bool) error {
	flags := byte(0)
	if last {
		flags = flagLast
	}
	aad := s.vault.identity(s.id.capture, s.id.seq, s.index, uint64(flags))
	s.buf = append(s.buf[:0], flags, 0, 0, 0, 0)
	s.buf = s.vault.segments.Seal(s.buf, nil, records, aad)
	binary.BigEndian.PutUint32(s.buf[1:], uint32(len(s.buf)-chunkHead))
	s.index++
	return s.write(s.buf)
}

func (s *segmentFile) write(b []byte) error {
	n, err := s.file.Write(b)
	s.size += int64(n)
	return err
}

// close makes the segment durable under its final name, which it returns.
func (s *segmentFile) close() (string, error) {
	err := errors.Join(s.file.Sync(), s.file.Close())
	if err != nil {
		return "", err
	}
	return sealName(s.file.Name())
}

// sealName gives a finished file its final name, durably.
func sealName(openName string) (string, error) {
	name := strings.TrimSuffix(openName, openSuffix) + segmentSuffix
	if err := os.Rename(openName, name); err != nil {
		return "", err
	}
	return name, syncFolder(filepath.Dir(name))
}

func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// readSegment decrypts a segment and visits its records. complete is false if it was cut; what came before the cut was visited.
// An alteration gives [ErrUnreadable].
func readSegment(v *vault, id segmentID, r io.Reader, visit func(record) error) (complete bool, err error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if err := readMagic(buffered); err != nil {
		return false, err
	}
	for index := uint64(0); ; index++ {
		flags, sealed, err := readChunk(buffered)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		records, err := open(v.segments, sealed, v.identity(id.capture, id.seq, index, uint64(flags)))
		if err != nil {
			return false, err
		}
		if err := eachRecord(records, visit); err != nil {
			return false, err
		}
		if flags&flagLast == 0 {
			continue
		}
		if _, err := buffered.ReadByte(); err != io.EOF {
			return false, ErrUnreadable // something was put behind the end
		}
		return true, nil
	}
}

func readMagic(r io.Reader) error {
	magic := make([]byte, len(segmentMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != segmentMagic {
		return ErrUnreadable
	}
	return nil
}

func readChunk(r io.Reader) (flags byte, sealed []byte, err error) {
	var head [chunkHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length > maxChunk {
		return 0, nil, ErrUnreadable
	}
	sealed = make([]byte, length)
	if _, err := io.ReadFull(r, sealed); err != nil {
		return 0, nil, err
	}
	return head[0], sealed, nil
}

// wholeChunks returns how many bytes of a crashed segment are whole chunks, and how many chunks those are. It needs no key.
func wholeChunks(r io.Reader) (size int64, chunks int, err error) {
	buffered := bufio.NewReader(r)
	if readMagic(buffered) != nil {
		return 0, 0, nil
	}
	size = int64(len(segmentMagic))
	for {
		_, sealed, err := readChunk(buffered)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrUnreadable) {
			return size, chunks, nil
		}
		if err != nil {
			return 0, 0, err
		}
		size += chunkHead + int64(len(sealed))
		chunks++
	}
}
