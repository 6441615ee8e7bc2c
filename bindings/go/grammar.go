// Grammars: which texts a model may write, as GBNF or as a JSON schema.

package bitnet

// #include "bitnet.h"
import "C"

import "unsafe"

// Grammar never changes and serves all goroutines.
type Grammar struct{ h *handle }

func newGrammar(t *Tokenizer, create func(tokenizer *C.bitnet_tokenizer, out **C.bitnet_grammar) C.bitnet_status) (*Grammar, error) {
	var grammar *C.bitnet_grammar
	err := t.with(func(tokenizer *C.bitnet_tokenizer) error {
		return call(func() C.bitnet_status { return create(tokenizer, &grammar) })
	})
	if err != nil {
		return nil, err
	}
	return &Grammar{newHandle("grammar", unsafe.Pointer(grammar), func(p unsafe.Pointer) {
		C.bitnet_grammar_free((*C.bitnet_grammar)(p))
	})}, nil
}

// NewGrammar compiles GBNF; root is the rule that is the whole text, "" for "root". ErrConfig says where it is wrong.
func (t *Tokenizer) NewGrammar(gbnf, root string) (*Grammar, error) {
	var a arena
	defer a.free()
	rule, err := a.optionalText("the rule", root)
	if err != nil {
		return nil, err
	}
	return newGrammar(t, func(tokenizer *C.bitnet_tokenizer, out **C.bitnet_grammar) C.bitnet_status {
		return C.bitnet_grammar_create_from_gbnf(tokenizer, textBytes(gbnf), C.size_t(len(gbnf)), rule, out)
	})
}

// NewJSONGrammar compiles a JSON schema: the text will be JSON that obeys it.
func (t *Tokenizer) NewJSONGrammar(schema string) (*Grammar, error) {
	return newGrammar(t, func(tokenizer *C.bitnet_tokenizer, out **C.bitnet_grammar) C.bitnet_status {
		return C.bitnet_grammar_create_from_json_schema(tokenizer, textBytes(schema), C.size_t(len(schema)), out)
	})
}

// JSONSchemaToGBNF is the grammar of a schema as text.
func JSONSchemaToGBNF(schema string) (string, error) {
	bytes := textBytes(schema)
	return sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_json_schema_to_gbnf(bytes, C.size_t(len(schema)), buffer, capacity, size)
	})
}

// Close gives the grammar back; what uses it goes on using it. Closing twice is fine.
func (g *Grammar) Close() error { return g.h.close() }

// with lends the C grammar, NULL for nil.
func (g *Grammar) with(f func(grammar *C.bitnet_grammar) error) error {
	if g == nil {
		return f(nil)
	}
	p, err := g.h.acquire()
	if err != nil {
		return err
	}
	defer g.h.release()
	return f((*C.bitnet_grammar)(p))
}
