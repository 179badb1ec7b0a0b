# fish --no-config complete.fish FILE WORD…: prints what fish offers for the last word.
source $argv[1]
complete --do-complete "$argv[2..]" | string split --field 1 \t
