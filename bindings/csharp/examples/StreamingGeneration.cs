// Streaming generation: the text as it is written, piece by piece.
//     StreamingGeneration MODEL.gguf [PROMPT]
// Ctrl+C ends the text, not the program. With C# 8 or later the loop can be "await foreach" over StreamAsync.
using System;
using System.Threading;
using BitNet;

internal static class StreamingGeneration
{
    private static int Main(string[] arguments)
    {
        if (arguments.Length < 1)
        {
            Console.Error.WriteLine("usage: StreamingGeneration MODEL.gguf [PROMPT]");
            return 2;
        }
        try
        {
            using (CancellationTokenSource stop = new CancellationTokenSource())
            using (Model model = Model.Load(arguments[0]))
            using (Context context = model.CreateContext())
            {
                Console.CancelKeyPress += (sender, key) =>
                {
                    key.Cancel = true;
                    stop.Cancel();
                };
                string prompt = arguments.Length > 1 ? arguments[1] : "Tell me about Rust:";
                try
                {
                    foreach (string piece in context.Stream(prompt, null, stop.Token)) Console.Write(piece);
                }
                catch (OperationCanceledException)
                {
                    Console.Write(" ...");
                }
                Console.WriteLine();
                return 0;
            }
        }
        catch (BitNetException failure)
        {
            Console.Error.WriteLine(failure.Message);
            return 1;
        }
    }
}
