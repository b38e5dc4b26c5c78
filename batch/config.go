package batch

import (
	"context"
	"time"

	"github.com/wnode-project/wnode/engine"
)

const (
	// Window is how many tasks are at most between being read and emitted.
	Window = 1024
	// SpillAt is how many bytes of a task's output are kept in memory, at most.
	SpillAt = 64 << 10
	// maxInput bounds the input of tasks that are not done, all together, in bytes.
	// One more task is read as long as there is less.
	maxInput = 64 << 20
)

// Config describes a map. Its functions are called on goroutines of Run's, each on one.
type Config struct {
	// Next returns the next task, io.EOF behind the last. It may block; if the map
	// ends before, nobody waits for it. An error ends the map when all tasks before
	// it have.
	Next func() (*Task, error)
	// Nodes returns where tasks may run now. It is asked at the start, when a node
	// is lost, and each Refresh (2 s by default): who is new gets tasks, who is not
	// there any more gets no more. An error, and no node, ends the map at the start; later
	// what is known stays, and the map ends when no node has taken anything for Patience
	// (30 s by default).
	Nodes    func(context.Context) ([]Node, error)
	Refresh  time.Duration
	Patience time.Duration

	// Spec is what each process is spawned with, but for what is the map's to say. Args
	// are those of a worker. Limits.Wall is the time of a task, of a worker's too. With
	// a Seed each task has one of its own, made of that and its number.
	Spec engine.Spec
	// Files serves the directories that Spec.Mounts are; nil: there are none.
	Files Files
	// Worker has tasks sent as calls to servers that stay: a task's Input is the
	// call's data, and its output what is written meanwhile and then the reply.
	Worker bool
	// Ahead lets as many processes wait on a node as it has jobs, when tasks are so
	// short that it would wait for the next one.
	Ahead bool

	Unordered  bool // results come as they end
	Retries    int  // how often a task is started again whose work was lost
	RetryTraps bool // a trap is as lost work
	Hedge      bool // a task that takes three times the median gets a second copy on another node
	Halt       Halt

	// Code returns the exit code of a task that ended with a reason; 0 is good.
	Code func(engine.Reason) int
	// Emit takes results, in their order. It may block, and they are its own until it
	// returns. An error ends the map at once.
	Emit func([]*Result) error
	// TempDir is for output that is too large for memory; "" is os.TempDir().
	TempDir string
}

// Halt says when a map ends early: with the Fail'th failed task, 0 never. Now kills
// what runs; else it comes to its end.
type Halt struct {
	Now  bool
	Fail int
}

// Task is one piece of work.
type Task struct {
	Seq    int      // from 1
	Values []string // what it is about
	Args   []string // arguments of its process
	Input  []byte   // its stdin, or the data of the call
}

// Node is a node for tasks.
type Node struct {
	ID   engine.NodeID
	Name string
	Jobs int // processes at once; 0: it gets no more
}

// Files is what serves file requests of processes, as origin.FileServer does.
type Files interface {
	// Ask queues a request and calls answer when it is done, on another goroutine.
	// It never blocks; false is more than a process may have under way.
	Ask(from engine.PID, req *engine.FileRequest, answer func(*engine.FileReply)) bool
	// Forget releases what a process that ended has open.
	Forget(engine.PID)
}

// Result is how a task ended.
type Result struct {
	*Task         // without its Input
	Sent   int    // bytes of that
	Node   string // where
	Reason engine.Reason
	Code   int // of Config.Code
	Report engine.Report
	Tries  int // how often it was started
	Start  time.Time
	Took   time.Duration // from Start, which is that of the try that counts, to its end
	Output Output
}

// Summary is how a map ended.
type Summary struct {
	Good, Failed int   // results that were emitted
	Lost         int   // tasks that were started again, as their work was lost
	Hedged       int   // second copies
	Halted       bool  // by Config.Halt
	Last         error // why a node was given up last; nil: none was
}
