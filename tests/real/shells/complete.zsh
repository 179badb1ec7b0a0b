# zsh -f complete.zsh DIRECTORY WORD…: prints what zsh makes of the last word. DIRECTORY has the file _PROGRAM.
#
# zsh completes at a terminal only. So there is one, the words and a tab are typed there, and a key prints the line as it is then.
# What is typed is shown too; li''ne is not the word that is waited for.
zmodload zsh/zpty
zpty shell 'zsh -f'
zpty -w shell "fpath=(${(q)1} \$fpath); autoload -Uz compinit && compinit -u -D
line() { print -r -- li''ne:\${\${(z)BUFFER}[-1]}: }; zle -N line; bindkey '^X' line; PS1="
zpty -w -n shell "${(j: :)@[2,-1]}"$'\t\C-x'
zpty -r -m shell seen '*line:*:*'
print -r -- ${${seen##*line:}%%:*}
zpty -d shell
