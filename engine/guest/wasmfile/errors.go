package wasmfile

import "github.com/wnode-project/wnode/engine/guest/wasmcode"

// Error says what is wrong with a file, and where: it is that of the code
// inside, too.
type Error = wasmcode.Error
