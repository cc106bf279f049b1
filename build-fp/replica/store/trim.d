build-fp/replica/store/trim.o: replica/store/trim.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
