// Command linearizability reads a history of what clients asked of onceproxy and what the service
// did, and tells whether it is linearizable: whether there is an order of the steps, each at one
// moment within its time, in which every key behaves as a register that is reserved, completed and
// replayed.
//
// The history is JSON lines on the standard input, as tests/integration/harness/linearizability.py
// writes them. It prints one line, `ok: N steps of K keys`, and exits with 0; or the keys that are
// not linearizable, and exits with 1. 2: it cannot read the history, or gave up.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// A step as the history has it. Times are nanoseconds; an end of 0 means that it is not known to
// have ended, and may take effect at any later time, or never where `maybe` is set.
type step struct {
	Key    string `json:"key"`
	Kind   string `json:"kind"` // reserve, complete, release, replay or refuse
	By     string `json:"by"`   // the request that holds the reservation, or asks
	Answer string `json:"answer"`
	Begin  int64  `json:"begin"`
	End    int64  `json:"end"`
	Maybe  bool   `json:"maybe"`
	// The client never heard how it ended, so its reservation may end with its lease.
	Lost bool `json:"lost"`
}

// What a key is.
type register struct {
	state  string // "", reserved or completed
	by     string
	lost   bool
	answer string
}

func next(before register, s step) (register, bool) {
	switch s.Kind {
	case "reserve":
		// A reservation whose holder is gone, or whose outcome is unknown, ends with its lease.
		free := before.state == "" || (before.state == "reserved" && before.lost)
		return register{state: "reserved", by: s.By, lost: s.Lost}, free
	case "complete":
		held := before.state == "reserved" && before.by == s.By
		return register{state: "completed", answer: s.Answer}, held
	case "release":
		return register{}, before.state == "reserved" && before.by == s.By
	case "replay":
		return before, before.state == "completed" && before.answer == s.Answer
	case "refuse":
		return before, before.state == "reserved"
	}
	return before, false
}

var model = porcupine.NondeterministicModel{
	Init: func() []interface{} { return []interface{}{register{}} },
	Step: func(state, input, _ interface{}) []interface{} {
		before, s := state.(register), input.(step)
		var after []interface{}
		if changed, legal := next(before, s); legal {
			after = append(after, changed)
		}
		if s.Maybe && (len(after) == 0 || after[0] != state) {
			after = append(after, before)
		}
		return after
	},
	Equal: func(a, b interface{}) bool { return a == b },
	DescribeOperation: func(input, _ interface{}) string {
		s := input.(step)
		return fmt.Sprintf("%s by %s %s", s.Kind, s.By, s.Answer)
	},
}

func read(in io.Reader) (map[string][]porcupine.Operation, int, error) {
	keys := map[string][]porcupine.Operation{}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	count := 0
	for lines.Scan() {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", count+1, err)
		}
		count++
		end := s.End
		if end == 0 {
			end = math.MaxInt64
		}
		keys[s.Key] = append(keys[s.Key], porcupine.Operation{
			ClientId: count, Input: s, Call: s.Begin, Output: nil, Return: end})
	}
	return keys, count, lines.Err()
}

func main() {
	keys, count, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	deterministic := model.ToModel()
	var wrong, open []string
	for key, operations := range keys {
		switch porcupine.CheckOperationsTimeout(deterministic, operations, time.Minute) {
		case porcupine.Illegal:
			wrong = append(wrong, key)
		case porcupine.Unknown:
			open = append(open, key)
		}
	}
	if len(wrong)+len(open) == 0 {
		fmt.Printf("ok: %d steps of %d keys\n", count, len(keys))
		return
	}
	sort.Strings(wrong)
	for _, key := range wrong {
		fmt.Printf("not linearizable: %s\n", key)
	}
	for _, key := range open {
		fmt.Printf("not decided within a minute: %s\n", key)
	}
	if len(wrong) == 0 {
		os.Exit(2)
	}
	os.Exit(1)
}
