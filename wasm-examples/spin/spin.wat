;; spin never ends, and calls nothing that the host could refuse: whoever runs
;; it must be able to stop it.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $forever
      (br $forever))))
