module kv

go 1.26

require github.com/wnode-project/wnode/sdk/go v0.0.0

replace github.com/wnode-project/wnode/sdk/go => ../../sdk/go
