package wasmcode

// Value types, as they are encoded.
// Source: WebAssembly core specification 2.0, 5.3.
const (
	I32       = 0x7f
	I64       = 0x7e
	F32       = 0x7d
	F64       = 0x7c
	V128      = 0x7b
	FuncRef   = 0x70
	ExternRef = 0x6f
)

// Void is the type of a block without parameters and results: the byte, and
// what [Reader.Next] makes of it.
const (
	Void      = 0x40
	VoidBlock = Void - 0x80
)

// Opcodes that somebody looks at or writes. Those behind a prefix byte are the
// prefix in the upper byte and the number after it in the lower.
// Source: WebAssembly core specification 2.0, 5.4.
const (
	Unreachable  = 0x00
	Block        = 0x02
	Loop         = 0x03
	If           = 0x04
	Else         = 0x05
	End          = 0x0b
	Br           = 0x0c
	BrIf         = 0x0d
	BrTable      = 0x0e
	Return       = 0x0f
	Call         = 0x10
	CallIndirect = 0x11
	Select       = 0x1b
	LocalGet     = 0x20
	LocalSet     = 0x21
	LocalTee     = 0x22
	GlobalGet    = 0x23
	GlobalSet    = 0x24
	TableSet     = 0x26
	MemorySize   = 0x3f
	MemoryGrow   = 0x40
	I32Const     = 0x41
	I64Const     = 0x42
	F32Const     = 0x43
	F64Const     = 0x44
	I32GtU       = 0x4b
	I32LeU       = 0x4d
	I32GeS       = 0x4e
	I64Eqz       = 0x50
	I64GtU       = 0x56
	I32Add       = 0x6a
	I32Sub       = 0x6b
	I32ShrU      = 0x76
	I64Add       = 0x7c
	I64Sub       = 0x7d
	I64Mul       = 0x7e
	I64And       = 0x83
	I64Shl       = 0x86
	I32WrapI64   = 0xa7
	I64ExtendU   = 0xad
	RefNull      = 0xd0
	RefFunc      = 0xd2

	Misc   = 0xfc // prefix
	Vector = 0xfd // prefix

	MemoryInit = Misc<<8 | 8
	DataDrop   = Misc<<8 | 9
	MemoryCopy = Misc<<8 | 10
	MemoryFill = Misc<<8 | 11
	TableInit  = Misc<<8 | 12
	ElemDrop   = Misc<<8 | 13
	TableCopy  = Misc<<8 | 14
	TableGrow  = Misc<<8 | 15
	TableSize  = Misc<<8 | 16
	TableFill  = Misc<<8 | 17

	V128Const = Vector<<8 | 12
)
