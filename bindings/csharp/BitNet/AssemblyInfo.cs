// The tests look at the check of versions, which has no other entrance.
using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("BitNet.Tests")]
