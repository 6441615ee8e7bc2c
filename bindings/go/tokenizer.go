// Tokenizers: text to tokens and back.

package bitnet

// #include "bitnet.h"
import "C"

import "unsafe"

// Tokenizer never changes and serves all goroutines.
type Tokenizer struct{ h *handle }

func newTokenizer(p *C.bitnet_tokenizer) *Tokenizer {
	return &Tokenizer{newHandle("tokenizer", unsafe.Pointer(p), func(p unsafe.Pointer) {
		C.bitnet_tokenizer_free((*C.bitnet_tokenizer)(p))
	})}
}

// LoadTokenizer loads a .gguf file, a tokenizer.json, a tokenizer.model, or a folder with one of these.
func LoadTokenizer(path string) (*Tokenizer, error) {
	if err := CheckVersion(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return nil, err
	}
	var tokenizer *C.bitnet_tokenizer
	if err := call(func() C.bitnet_status { return C.bitnet_tokenizer_load(name, &tokenizer) }); err != nil {
		return nil, err
	}
	return newTokenizer(tokenizer), nil
}

// Close gives the tokenizer back. Closing twice is fine.
func (t *Tokenizer) Close() error { return t.h.close() }

func (t *Tokenizer) with(f func(tokenizer *C.bitnet_tokenizer) error) error {
	p, err := t.h.acquire()
	if err != nil {
		return err
	}
	defer t.h.release()
	return f((*C.bitnet_tokenizer)(p))
}

// EncodeFlags say how a text becomes tokens.
type EncodeFlags uint32

const (
	AddBOS       EncodeFlags = C.BITNET_ENCODE_ADD_BOS       // begin with the BOS token
	ParseSpecial EncodeFlags = C.BITNET_ENCODE_PARSE_SPECIAL // read "<|eot_id|>" as one control token
	AddDefault   EncodeFlags = C.BITNET_ENCODE_ADD_DEFAULT   // BOS and EOS as the model file says
)

// Encode never refuses a text: invalid UTF-8 is encoded byte by byte.
func (t *Tokenizer) Encode(text string, flags EncodeFlags) (tokens []Token, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		tokens, err = encode(tokenizer, text, flags)
		return err
	})
	return tokens, err
}

func encode(tokenizer *C.bitnet_tokenizer, text string, flags EncodeFlags) ([]Token, error) {
	bytes := textBytes(text)
	return sizedTokens(len(text)/3+4, func(out *C.bitnet_token, capacity C.size_t, n *C.size_t) C.bitnet_status {
		return C.bitnet_tokenizer_encode(tokenizer, bytes, C.size_t(len(text)), C.uint32_t(flags), out, capacity, n)
	})
}

// DecodeFlags say how tokens become text.
type DecodeFlags uint32

const (
	WithSpecial DecodeFlags = C.BITNET_DECODE_SPECIAL // write control tokens as their text
	TextStart   DecodeFlags = C.BITNET_DECODE_START   // the tokens begin a text: no space that SentencePiece put in front
)

// Decode gives the bytes of tokens, which may end within a character: see CompletePrefix. ErrToken for an id that is none.
func (t *Tokenizer) Decode(tokens []Token, flags DecodeFlags) (text string, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		var bytes []byte
		bytes, err = sizedBytes(func(buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return C.bitnet_tokenizer_decode(tokenizer, tokenPointer(tokens), C.size_t(len(tokens)), C.uint32_t(flags),
				(*C.char)(buffer), capacity, size)
		})
		text = string(bytes)
		return err
	})
	return text, err
}

// CompletePrefix is the length of the longest prefix that does not end inside a UTF-8 character.
func CompletePrefix(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	return int(C.bitnet_utf8_complete_prefix((*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text))))
}

// TokenAttribute is what kind of token one is.
type TokenAttribute int32

const (
	TokenNormal      TokenAttribute = C.BITNET_TOKEN_NORMAL
	TokenUnknown     TokenAttribute = C.BITNET_TOKEN_UNKNOWN
	TokenControl     TokenAttribute = C.BITNET_TOKEN_CONTROL
	TokenUserDefined TokenAttribute = C.BITNET_TOKEN_USER_DEFINED
	TokenUnused      TokenAttribute = C.BITNET_TOKEN_UNUSED
	TokenByte        TokenAttribute = C.BITNET_TOKEN_BYTE
)

// TokenizerInfo describes a tokenizer; tokens that it does not have are -1.
type TokenizerInfo struct {
	Source, Model, Pre      string
	Vocab                   int
	BOS, EOS, EOT, Pad, Unk Token
	AddBOS, AddEOS          bool // what AddDefault does
}

// Info describes the tokenizer.
func (t *Tokenizer) Info() (info TokenizerInfo, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		var c C.bitnet_tokenizer_info
		c.struct_size = C.sizeof_bitnet_tokenizer_info
		err := call(func() C.bitnet_status { return C.bitnet_tokenizer_get_info(tokenizer, &c) })
		if err == nil {
			info = TokenizerInfo{C.GoString(c.source), C.GoString(c.model), C.GoString(c.pre),
				int(C.bitnet_tokenizer_get_n_vocab(tokenizer)), Token(c.bos), Token(c.eos), Token(c.eot), Token(c.pad),
				Token(c.unk), c.add_bos != 0, c.add_eos != 0}
		}
		return err
	})
	return info, err
}

// Piece is a token's text as the vocabulary stores it.
func (t *Tokenizer) Piece(token Token) (piece string, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		var text *C.char
		var n C.size_t
		err := call(func() C.bitnet_status {
			return C.bitnet_tokenizer_get_piece(tokenizer, C.bitnet_token(token), &text, &n)
		})
		if err == nil {
			piece = copyText(text, n)
		}
		return err
	})
	return piece, err
}

// Token is the id whose stored text is exactly piece; ErrNotFound where there is none.
func (t *Tokenizer) Token(piece string) (token Token, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		var c C.bitnet_token
		err := call(func() C.bitnet_status {
			return C.bitnet_tokenizer_get_token(tokenizer, textBytes(piece), C.size_t(len(piece)), &c)
		})
		token = Token(c)
		return err
	})
	return token, err
}

// FindTokens are the ids of all tokens whose text contains text.
func (t *Tokenizer) FindTokens(text string) (tokens []Token, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		tokens, err = sizedTokens(64, func(out *C.bitnet_token, capacity C.size_t, n *C.size_t) C.bitnet_status {
			return C.bitnet_tokenizer_find_tokens(tokenizer, textBytes(text), C.size_t(len(text)), out, capacity, n)
		})
		return err
	})
	return tokens, err
}

// Attribute is 0 for an id outside the vocabulary.
func (t *Tokenizer) Attribute(token Token) (attribute TokenAttribute, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		attribute = TokenAttribute(C.bitnet_tokenizer_get_attribute(tokenizer, C.bitnet_token(token)))
		return nil
	})
	return attribute, err
}

// IsEnd is true for tokens that end a generation.
func (t *Tokenizer) IsEnd(token Token) (end bool, err error) {
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		end = C.bitnet_tokenizer_is_end(tokenizer, C.bitnet_token(token)) != 0
		return nil
	})
	return end, err
}
