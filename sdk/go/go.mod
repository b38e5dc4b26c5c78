module github.com/wnode-project/wnode/sdk/go

go 1.26
