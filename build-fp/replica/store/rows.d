build-fp/replica/store/rows.o: replica/store/rows.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/err.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/err.h:
