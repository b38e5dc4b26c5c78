;; kate is a library: nothing runs until a caller names its export, as in
;; Elixir's  Node.spawn_link(:"kate@host", fn -> Kate.say_name end).
;; The text appears at the caller, wherever the code runs.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $iovs i32) (param $count i32) (param $written i32) (result i32)))

  (memory (export "memory") 1)
  ;; One iovec at 0: the text's address and its length. At 8: bytes written.
  (data (i32.const 0) "\10\00\00\00\10\00\00\00")
  (data (i32.const 16) "My name is Kate\n")

  (func (export "say_name")
    ;; No error can be reported from here: no result, so a trap.
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (then unreachable))))
