// Embeddings: hidden states of tokens, sequences and texts.

package bitnet

// #include "bitnet.h"
import "C"

import "context"

// Pooling says how one vector comes from a sequence's.
type Pooling int32

const (
	PoolingLast  Pooling = C.BITNET_POOLING_LAST
	PoolingMean  Pooling = C.BITNET_POOLING_MEAN
	PoolingCLS   Pooling = C.BITNET_POOLING_CLS
	PoolingModel Pooling = C.BITNET_POOLING_MODEL // as the model file says
)

// Embedding is the hidden state of a batch entry with output. The context needs ContextParams.Embeddings.
func (c *Context) Embedding(index int, normalize bool) ([]float32, error) {
	out := make([]float32, c.embedding)
	err := c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_get_embedding(p, clamp(index), flag(normalize), floatPointer(out), C.size_t(len(out)))
	})
	return out, err
}

// SequenceEmbedding pools the entries with output that a sequence had in the last decode.
func (c *Context) SequenceEmbedding(sequence int, pooling Pooling, normalize bool) ([]float32, error) {
	out := make([]float32, c.embedding)
	err := c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_get_sequence_embedding(p, clamp(sequence), C.bitnet_pooling(pooling), flag(normalize),
			floatPointer(out), C.size_t(len(out)))
	})
	return out, err
}

// Embed is the vector of a text, of length 1 where normalize says so. It takes sequence 0, which is empty afterwards.
func (c *Context) Embed(ctx context.Context, text string, pooling Pooling, normalize bool) ([]float32, error) {
	tokens, err := c.encode(text)
	if err != nil {
		return nil, err
	}
	batch := Batch{Tokens: tokens, WantOutput: make([]bool, len(tokens))}
	for i := range batch.WantOutput {
		batch.WantOutput[i] = true
	}
	if err := c.SequenceRemove(0, 0, -1); err != nil {
		return nil, err
	}
	if err := c.Decode(ctx, batch); err != nil {
		return nil, err
	}
	vector, err := c.SequenceEmbedding(0, pooling, normalize)
	if removed := c.SequenceRemove(0, 0, -1); err == nil {
		err = removed
	}
	return vector, err
}

// encode uses the tokenizer of the context's model, as the model file says.
func (c *Context) encode(text string) (tokens []Token, err error) {
	err = c.alone(func(*C.bitnet_context) error {
		// The model may be closed, but is alive as long as the context.
		tokenizer := C.bitnet_model_get_tokenizer((*C.bitnet_model)(c.model.ptr))
		if tokenizer == nil {
			return &Error{Status: ErrTokenizer, Message: "the model has no tokenizer that runs here"}
		}
		tokens, err = encode(tokenizer, text, AddDefault)
		return err
	})
	return tokens, err
}
