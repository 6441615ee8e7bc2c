// The first program of README.md: FirstProgram MODEL.gguf
using System;
using BitNet;

internal static class FirstProgram
{
    private static void Main(string[] arguments)
    {
        using (Model model = Model.Load(arguments[0]))
        using (Context context = model.CreateContext())
        {
            foreach (string piece in context.Stream("Once upon a time")) Console.Write(piece);
            Console.WriteLine();
        }
    }
}
