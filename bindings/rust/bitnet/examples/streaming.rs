// Streaming generation: the text as it is written, piece by piece.
//     cargo run --example streaming -- MODEL.gguf [PROMPT]
use bitnet::{Context, GenerationParams, Model};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: streaming MODEL.gguf [PROMPT]")?;
    let prompt = arguments.next().unwrap_or_else(|| "Tell me about Rust:".to_string());

    let model = Model::load(path)?;
    let context = Context::new(&model)?;
    for piece in context.stream(&prompt, &GenerationParams::new())? {
        print!("{}", piece?); // whole characters
        std::io::stdout().flush()?;
    }
    println!();
    Ok(())
}
