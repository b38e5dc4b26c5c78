package batch

// Abandon closes a log as the end of the program would.
func (l *Log) Abandon() { l.f.Close() }
