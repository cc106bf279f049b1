# shellcheck shell=bash
# What was measured, and what of it is shown. The raw figures are lines
# "CELL SYSTEM METRIC VALUE" of $raw, one a repetition; a cell of the table is
# their median. Sourced by run.
# shellcheck disable=SC2154 # run sets them

# note CELL SYSTEM METRIC VALUE
note() {
	printf '%s %s %s %s\n' "$1" "$2" "$3" "$4" >>"$raw"
}

# The processor time of a system's servers so far, in ticks.
server_ticks() {
	local pids=("${zk_pid[@]}")
	[[ $1 != zabfs ]] || pids=("${ours_pid[@]}")
	cat "${pids[@]/%//stat}" | sed 's/.*) //' | awk '{ n += $12 + $13 } END { print n }'
}

# collect CELL SYSTEM COMMAND…: a load generator's run of run_ms.
collect() {
	local cell=$1 system=$2 kind ticks try
	for try in 1 2 3 4; do
		((try < 4)) || fail "$cell: $system"
		ticks=$(cd /proc && server_ticks "$system")
		"${@:3}" >"$work/samples" && break
		say "$cell: $system failed ($try), again"
		note "$cell" "$system" failed 1
	done
	ticks=$(($(cd /proc && server_ticks "$system") - ticks))
	for kind in rate write read began_modify began_event; do
		grep -q "^$kind " "$work/samples" || continue
		if [[ $kind == rate ]]; then
			note "$cell" "$system" rate "$(quantile "$work/samples" rate 0.5)"
			note "$cell" "$system" server_ns "$(awk -v t="$ticks" -v hz="$(getconf CLK_TCK)" -v ms="$run_ms" \
				'$1 == "rate" && $2 { printf "%.0f\n", t * 1e9 / hz / ($2 * ms / 1000) }' "$work/samples")"
			continue
		fi
		note "$cell" "$system" "${kind}_ns" "$(quantile "$work/samples" "$kind" 0.5)"
		note "$cell" "$system" "${kind}_p99_ns" "$(quantile "$work/samples" "$kind" 0.99)"
	done
}

# middle CELL SYSTEM METRIC: the median of its repetitions.
middle() {
	awk -v c="$1" -v s="$2" -v m="$3" '$1 == c && $2 == s && $3 == m { print "v", $4 }' "$raw" >"$work/middle"
	quantile "$work/middle" v 0.5
}

value_text() {
	case $1 in
	ns) time_text "$2" ;;
	rate) awk -v v="$2" 'BEGIN { printf v < 1e5 ? "%d/s\n" : "%.0f,000/s\n", v < 1e5 ? v : v / 1e3 }' ;;
	bytes) awk -v v="$2" 'BEGIN { printf "%.1f MiB\n", v / 1048576 }' ;;
	esac
}

# compare WHAT UNIT AIM OURS THEIRS: a row. AIM: "<= R", "> = R" of the ratio ours/theirs, or
# "<= N ns" of ours alone, or "-". OURS, THEIRS: numbers.
compare() {
	local what=$1 unit=$2 aim=$3 ours_value=$4 theirs_value=$5 text=- verdict=- ratio
	ratio=$(awk -v a="$ours_value" -v b="$theirs_value" 'BEGIN { r = a / b; printf r < 0.1 ? "%.2g\n" : r < 10 ? "%.2f\n" : "%.0f\n", r }')
	case $aim in
	'<= '*' ns')
		aim=${aim#<= } aim=${aim% ns}
		text="≤ $(time_text "$aim")"
		verdict=$(at_most "$ours_value" "$aim")
		;;
	'<= '*)
		text="≤ ${aim#<= } ×"
		verdict=$(at_most "$(awk -v a="$ours_value" -v b="$theirs_value" 'BEGIN { print a / b }')" "${aim#<= }")
		;;
	'>= '*)
		text="≥ ${aim#>= } ×"
		verdict=$(at_least "$(awk -v a="$ours_value" -v b="$theirs_value" 'BEGIN { print a / b }')" "${aim#>= }")
		;;
	esac
	row "$what" "$(value_text "$unit" "$ours_value")" "$(value_text "$unit" "$theirs_value")" "$ratio" "$text" "$verdict"
}

# cells WHAT UNIT METRIC AIM OUR-CELL THEIR-CELL [THEIR-SYSTEM THEIR-METRIC]
cells() {
	compare "$1" "$2" "$4" "$(middle "$5" zabfs "$3")" "$(middle "$6" "${7:-zookeeper}" "${8:-$3}")"
}
