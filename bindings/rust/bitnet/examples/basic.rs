// Basic text generation: one call that returns the whole text.
//     cargo run --example basic -- MODEL.gguf [PROMPT]
// Every run tells something else; BITNET_SEED=42 in the environment makes it repeat itself.
use bitnet::{Context, GenerationParams, Model, SamplerParams};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: basic MODEL.gguf [PROMPT]")?;
    let prompt = arguments.next().unwrap_or_else(|| "The future of AI is".to_string());

    let model = Model::load(path)?;
    let mut context = Context::new(&model)?;
    let params = GenerationParams::new().max_new_tokens(50).sampler(SamplerParams::new().temperature(0.8));
    let output = context.generate(&prompt, &params)?;
    println!("Generated: {}", output.text);
    Ok(())
}
