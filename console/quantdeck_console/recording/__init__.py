"""What a console received, in a file: written as it comes, and played through the same screens."""
